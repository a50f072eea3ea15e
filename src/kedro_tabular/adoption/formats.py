"""The formats of numbers and dates in a column of text."""

import re
from typing import NamedTuple

import pandas as pd

from ..contract import NumberFormat

_LEADING_ZERO = r"[+-]?0\d+"
_GROUPING = " \u00a0\u202f'"
_CURRENCIES = "$€£¥₹%"
_PLAIN = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_THOUSANDS = r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?|[+-]?\d+(\.\d+)?"
_CONTINENTAL = r"[+-]?\d{1,3}(\.\d{3})*(,\d+)?|[+-]?\d+(,\d+)?"

# In the order in which they are tried. A date may be followed by one of the times.
_DATES = (
    *("%d.%m.%Y", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%d.%m.%y"),
    *("%m/%d/%y", "%d/%m/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_OTHERS = ("%Y%m%d", "%b %d %Y", "%B %d %Y", "%d %b, %Y", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S %z")
_DATETIME_FORMATS = ("ISO8601", *(date + time for time in _TIMES for date in _DATES), *_OTHERS)
_LOOKS_LIKE_A_DATE = r"(?=.*\d)(?=.*[-/.: ]|\d{8}$).{6,40}"
_SAMPLE = 2000  # values that a format is tried on before it is tried on all


class DatetimeFormat(NamedTuple):
    """A format of dates, and the one with day and month swapped if that fits as well."""

    format: str  # of strftime, or ISO8601
    swapped: str | None = None


def infer_number_format(text: pd.Series) -> NumberFormat | None:
    """The format in which all of these texts are numbers; None if there is none.

    Numbers that begin with a zero, such as postal codes, are categories.
    """
    values = _distinct(text)
    if values.empty or values.str.fullmatch(_LEADING_ZERO).any():
        return None
    if values.str.fullmatch(_PLAIN).all():
        return NumberFormat()
    symbols = [symbol for symbol in _GROUPING + _CURRENCIES if values.str.contains(symbol, regex=False).any()]
    remove = "".join(sorted(symbols))
    digits = values.str.translate({ord(symbol): None for symbol in remove})
    for pattern, grouping, decimal in ((_PLAIN, "", "."), (_THOUSANDS, ",", "."), (_CONTINENTAL, ".", ",")):
        if digits.str.fullmatch(pattern).all():
            return NumberFormat(remove=remove + grouping, decimal=decimal)
    return None


def infer_datetime_format(text: pd.Series) -> DatetimeFormat | None:
    """The format in which all of these texts are dates or date-times; None if there is none."""
    values = _distinct(text)
    sample = values if len(values) <= _SAMPLE else values.sample(_SAMPLE, random_state=0)
    if values.empty or not sample.str.fullmatch(_LOOKS_LIKE_A_DATE).all():
        return None
    for candidate in _DATETIME_FORMATS:
        if _fits(sample, candidate) and _fits(values, candidate):
            swapped = re.sub(r"^%([md])([/-])%([md])", r"%\3\2%\1", candidate)
            return DatetimeFormat(candidate, swapped if swapped != candidate and _fits(values, swapped) else None)
    return None


def _distinct(text: pd.Series) -> pd.Series:
    return pd.Series(text.unique()).astype("str")


def _fits(values: pd.Series, datetime_format: str) -> bool:
    try:
        parsed = pd.to_datetime(values, format=datetime_format, errors="coerce", utc=True)
    except ValueError:
        return False
    return bool(parsed.notna().all())
