"""In which form the numbers and dates of a column of text are written."""

import re
from typing import NamedTuple

import pandas as pd

from ..contract import NumberFormat

_LEADING_ZERO = r"[+-]?0\d+"
_NO_DIGITS = " \u00a0\u202f'"
_CURRENCIES = "$€£¥₹%"
_PLAIN = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_THOUSANDS = r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?|[+-]?\d+(\.\d+)?"
_CONTINENTAL = r"[+-]?\d{1,3}(\.\d{3})*(,\d+)?|[+-]?\d+(,\d+)?"

_DATES = ("%d.%m.%Y", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%d.%m.%y")
_MORE_DATES = ("%m/%d/%y", "%d/%m/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y")
_LONGER = ("%Y%m%d", "%b %d %Y", "%B %d %Y", "%d %b, %Y", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S %z")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_LOOKS_LIKE_A_DATE = r"(?=.*\d)(?=.*[-/.: ]|\d{8}$).{6,40}"
_TRIED = 2000  # values by which forms are told apart, before all are read in the one that fits


class Dates(NamedTuple):
    """A form of dates, and the other one that would fit as well, if any."""

    form: str  # of strftime, or ISO8601
    twin: str | None = None


def number_form(text: pd.Series) -> NumberFormat | None:
    """The form in which all of these texts are numbers; None if there is none.

    Numbers that begin with a zero, such as postal codes, are names.
    """
    values = pd.Series(text.unique()).astype("str")
    if values.empty or values.str.fullmatch(_LEADING_ZERO).any():
        return None
    if values.str.fullmatch(_PLAIN).all():
        return NumberFormat()
    used = "".join(
        sorted(character for character in _NO_DIGITS + _CURRENCIES if values.str.contains(character, regex=False).any())
    )
    bare = values.str.translate({ord(character): None for character in used})
    for pattern, marks, decimal in ((_PLAIN, "", "."), (_THOUSANDS, ",", "."), (_CONTINENTAL, ".", ",")):
        if bare.str.fullmatch(pattern).all():
            return NumberFormat(remove=used + marks, decimal=decimal)
    return None


def date_form(text: pd.Series) -> Dates | None:
    """The form in which all of these texts are dates or points in time; None if there is none."""
    values = pd.Series(text.unique()).astype("str")
    some = values if len(values) <= _TRIED else values.sample(_TRIED, random_state=0)
    if values.empty or not some.str.fullmatch(_LOOKS_LIKE_A_DATE).all():
        return None
    for form in _forms():
        if _fits(some, form) and _fits(values, form):
            twin = _twin(form)
            return Dates(form, twin if twin and _fits(values, twin) else None)
    return None


def _forms() -> list[str]:
    days = (*_DATES, *_MORE_DATES)
    return ["ISO8601", *(day + time for time in _TIMES for day in days), *_LONGER]


def _fits(values: pd.Series, form: str) -> bool:
    try:
        read = pd.to_datetime(values, format=form, errors="coerce", utc=True)
    except ValueError:
        return False
    return bool(read.notna().all())


def _twin(form: str) -> str | None:
    """The form with day and month the other way round, where they can be taken for each other."""
    match = re.match(r"%([md])([/-])%([md])", form)
    return None if match is None else f"%{match[3]}{match[2]}%{match[1]}" + form[match.end() :]
