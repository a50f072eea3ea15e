"""What the contract says of each column, found out from its values."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ..contract import Column, NumberFormat, to_datetimes, to_numbers
from .formats import date_form, number_form

_IDENTIFIER = re.compile(
    r"(?i:id|index|idx|uuid|guid|key|row.?(id|nr|no|num|number)|column_1)|.*[_\s.-](?i:id|uuid|guid)_?|.*[a-z](Id|ID)"
)
_NEARLY_ALL = 0.5  # text with more distinct values than this share of the rows says nothing of new rows
_FEW = 20  # distinct values that are never too many
_DIGITS = 2  # significant ones of a bound


@dataclass
class Found:
    """What was found out about one column."""

    name: str
    column: Column | None  # None: it is left out
    values: pd.Series  # in the type of the contract
    why: str = ""  # it is left out
    identifies: bool = False  # it is left out because it tells rows apart
    notes: list[str] = field(default_factory=list)
    number: NumberFormat | None = None
    dates: str | None = None


def look_at(values: pd.Series) -> Found:
    """The type, nullability and bounds of a column; or why it is of no use."""
    name, present = str(values.name), values.dropna()
    if present.empty:
        return Found(name, None, values, "no row has a value")
    if present.nunique() == 1 and len(present) == len(values):
        return Found(name, None, values, f"all rows have the same value, {present.tolist()[0]!r}")
    found = _by_type(name, values, present)
    if found.column is not None:
        reason = _why_identifier(name, found.values.dropna(), found.column)
        if reason:
            found.column, found.why, found.identifies = None, reason, True
    return found


def _by_type(name: str, values: pd.Series, present: pd.Series) -> Found:
    nullable = len(present) < len(values)
    if types.is_datetime64_dtype(values.dtype):
        return Found(name, Column(type="datetime", nullable=nullable), values)
    if types.is_numeric_dtype(values.dtype):
        return Found(name, _number(values, nullable), values)
    if present.str.startswith(("{", "[")).all():
        return Found(name, None, values, "its values are nested")
    form = number_form(present)
    if form is not None:
        numbers = to_numbers(values, form)
        special = form != NumberFormat()
        notes = [f"{present.iloc[0]!r} is read as {numbers.dropna().iloc[0]:g}"]
        return Found(name, _number(numbers, nullable), numbers, notes=notes * special, number=form if special else None)
    dates = date_form(present)
    if dates is not None:
        times = to_datetimes(values, dates.form)
        notes = [] if dates.form == "ISO8601" else [f"{present.iloc[0]!r} is read as {times.dropna().iloc[0]}"]
        if dates.twin:
            notes.append(f"day and month can be taken for each other; if they are, its format is {dates.twin}")
        column = Column(type="datetime", nullable=nullable)
        return Found(name, column, times, notes=notes, dates=dates.form if dates.form != "ISO8601" else None)
    return Found(name, Column(type="category", nullable=nullable), values)


def _number(values: pd.Series, nullable: bool) -> Column:
    """Bounds as far from the values as these are from each other; what is never below 0 stays so."""
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        return Column(type="number", nullable=nullable)
    span = high - low
    lowest = max(0.0, low - span) if low >= 0 else low - span
    highest = min(0.0, high + span) if high <= 0 else high + span
    return Column(type="number", nullable=nullable, min=_round(lowest, math.floor), max=_round(highest, math.ceil))


def _round(bound: float, away: Any) -> float:
    """To two significant digits, away from the values."""
    if bound == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(bound))) + 1 - _DIGITS)
    return float(f"{away(bound / step) * step:.{_DIGITS}g}")


def _why_identifier(name: str, present: pd.Series, column: Column) -> str:
    distinct = present.nunique()
    if column.type == "category":
        many = distinct > max(_FEW, _NEARLY_ALL * len(present))
        return f"an identifier or free text: {distinct:,} different values in {len(present):,} rows" if many else ""
    if column.type != "number" or not np.equal(present, present.round()).all():
        return ""
    named = bool(_IDENTIFIER.fullmatch(name))
    if distinct == len(present) and present.max() - present.min() == distinct - 1 and distinct > _FEW:
        in_order = present.is_monotonic_increasing or present.is_monotonic_decreasing
        if named or in_order:
            return "it numbers the rows"
    if named and distinct > _FEW:
        return f"an identifier by its name, with {distinct:,} different values"
    return ""
