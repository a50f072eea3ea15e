"""A query over records: `metrics.roc_auc > 0.7 and data.table = 82046ff6 and not gate = refused`.

Comparisons are `=`, `!=`, `<`, `<=`, `>`, `>=` and `~` (contains), joined by `and`, `or`, `not` and brackets.
A value is a number or text, which needs quotes only where it holds a space or a bracket; the beginning of a
hash, of at least seven digits, stands for the whole; an age may be written as 12h, 7d or 2w.
"""

import difflib
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyparsing as pp

Fields = dict[str, Any]
_Test = Callable[[Fields], bool]

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
    """A query that can't be understood; the message shows where, or which name is unknown."""


def select(query: str, records: Sequence[Fields]) -> list[int]:
    """The positions of the records that a query holds for. Of a missing field no comparison holds.

    Raises:
        QueryError: the query is no query, or asks for a field that no record has.
    """
    names: list[str] = []
    try:
        test: _Test = _grammar(names).parse_string(query, parse_all=True)[0]
    except pp.ParseException as error:
        raise QueryError(f"the query can't be read at {query[error.loc :][:30] or 'its end'!r}; {_EXAMPLE}") from error
    known = set().union(*records)
    for name in names:
        if records and name not in known:
            near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:8]
            raise QueryError(f"no version has a field {name!r}; there are {', '.join(near)} and others")
    return [position for position, record in enumerate(records) if test(record)]


def _grammar(names: list[str]) -> pp.ParserElement:
    word = pp.Regex(r"""[^\s()=!<>~'"]+""")
    value = pp.QuotedString("'") | pp.QuotedString('"') | word
    joining = pp.CaselessKeyword("and") | pp.CaselessKeyword("or") | pp.CaselessKeyword("not")
    comparison = ~joining + word + pp.one_of("= == != <= >= < > ~") + value

    def compare(tokens: pp.ParseResults) -> _Test:
        name, sign, given = tokens
        names.append(name)
        return lambda record: name in record and _holds(record[name], sign, given)

    comparison.set_parse_action(compare)
    grammar: pp.ParserElement = pp.infix_notation(
        comparison,
        [
            (pp.CaselessKeyword("not"), 1, pp.OpAssoc.RIGHT, lambda found: _negate(found[0][1])),
            (pp.CaselessKeyword("and"), 2, pp.OpAssoc.LEFT, lambda found: _join(all, found[0][::2])),
            (pp.CaselessKeyword("or"), 2, pp.OpAssoc.LEFT, lambda found: _join(any, found[0][::2])),
        ],
    )
    return grammar


def _negate(test: _Test) -> _Test:
    return lambda record: not test(record)


def _join(rule: Callable[[Any], bool], tests: Sequence[_Test]) -> _Test:
    return lambda record: rule(test(record) for test in tests)


def _holds(found: Any, sign: str, given: str) -> bool:
    if isinstance(found, list):  # the aliases
        return _holds_for_any(found, sign, given)
    if sign in _ORDERS:
        left, right = _number(found), _number(given)
        if left is None or right is None:
            return _ORDERS[sign](str(found), given)
        return _ORDERS[sign](left, right)
    if sign == "~":
        return given.lower() in str(found).lower()
    return _equal(found, given) != (sign == "!=")


def _holds_for_any(found: list[str], sign: str, given: str) -> bool:
    if sign == "!=":
        return given not in found
    return any(_holds(one, sign, given) for one in found)


def _equal(found: Any, given: str) -> bool:
    left, right = _number(found), _number(given)
    if str(found) == given or (left is not None and left == right):
        return True
    return bool(_HASH.fullmatch(given)) and bool(_HASH.fullmatch(str(found))) and str(found).startswith(given)


def _number(value: Any) -> float | None:
    text = str(value)
    unit = _DAYS.get(text[-1:])
    try:
        return float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        return None
