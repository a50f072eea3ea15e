"""A query over records: `metrics.roc_auc > 0.7 and data.table = 82046ff6 and not gate = refused`.

Comparisons are `=`, `!=`, `<`, `<=`, `>`, `>=` and `~` (contains), joined by `and`, `or`, `not` and brackets.
A value is a number or text, with quotes if it contains a space or a bracket. A prefix of a hash, of at least seven
digits, matches the whole hash. An age may be written as 12h, 7d or 2w.
"""

import difflib
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyparsing as pp

Fields = dict[str, Any]
_Predicate = Callable[[Fields], bool]

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}
_HASH = re.compile(r"[0-9a-f]{7,64}(\.dir)?")
_EXAMPLE = "for example: metrics.roc_auc > 0.7 and gate = passed"


class QueryError(ValueError):
    """A query that can't be parsed; the message names the position or the unknown field."""


def select(query: str, records: Sequence[Fields]) -> list[int]:
    """The positions of the records that match a query. A comparison with a missing field is false.

    Raises:
        QueryError: the query can't be parsed, or no record has a field of this name.
    """
    names: list[str] = []
    try:
        predicate: _Predicate = _grammar(names).parse_string(query, parse_all=True)[0]
    except pp.ParseException as error:
        raise QueryError(f"the query can't be read at {query[error.loc :][:30] or 'its end'!r}; {_EXAMPLE}") from error
    known = set().union(*records)
    for name in names:
        if records and name not in known:
            similar = difflib.get_close_matches(name, known, n=3) or sorted(known)[:8]
            raise QueryError(f"no version has a field {name!r}; there are {', '.join(similar)} and others")
    return [position for position, record in enumerate(records) if predicate(record)]


def _grammar(names: list[str]) -> pp.ParserElement:
    """The grammar of a query, which parses to a predicate and appends the names of fields to a list."""
    word = pp.Regex(r"""[^\s()=!<>~'"]+""")
    value = pp.QuotedString("'") | pp.QuotedString('"') | word
    keywords = {name: pp.CaselessKeyword(name) for name in ("not", "and", "or")}
    comparison = ~pp.MatchFirst(keywords.values()) + word + pp.one_of("= == != <= >= < > ~") + value

    def compare(tokens: pp.ParseResults) -> _Predicate:
        name, sign, operand = tokens
        names.append(name)
        return lambda record: name in record and _compare(record[name], sign, operand)

    def negate(tokens: pp.ParseResults) -> _Predicate:
        negated = tokens[0][1]
        return lambda record: not negated(record)

    def join(rule: Callable[[Any], bool]) -> Callable[[pp.ParseResults], _Predicate]:
        return lambda tokens: lambda record: rule(predicate(record) for predicate in tokens[0][::2])

    comparison.set_parse_action(compare)
    grammar: pp.ParserElement = pp.infix_notation(
        comparison,
        [
            (keywords["not"], 1, pp.OpAssoc.RIGHT, negate),
            (keywords["and"], 2, pp.OpAssoc.LEFT, join(all)),
            (keywords["or"], 2, pp.OpAssoc.LEFT, join(any)),
        ],
    )
    return grammar


def _compare(value: Any, sign: str, operand: str) -> bool:
    if isinstance(value, list):  # the aliases
        return operand not in value if sign == "!=" else any(_compare(item, sign, operand) for item in value)
    text, numbers = str(value), (_number(value), _number(operand))
    left, right = (text, operand) if None in numbers else numbers
    if sign in _ORDERS:
        return _ORDERS[sign](left, right)
    if sign == "~":
        return operand.lower() in text.lower()
    is_prefix = _HASH.fullmatch(operand) and _HASH.fullmatch(text) and text.startswith(operand)
    return (text == operand or left == right or bool(is_prefix)) != (sign == "!=")


def _number(value: Any) -> float | None:
    """A number, or an age in days; None for other text."""
    text = str(value)
    days = _DAYS.get(text[-1:])
    try:
        return float(text[:-1]) * days if days else float(text)
    except ValueError:
        return None
