"""The contract's entry for each column, inferred from its values."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pandas.api import types

from ..contract import Column, ContractError, NumberFormat, to_datetimes, to_numbers
from .formats import infer_datetime_format, infer_number_format

_IDENTIFIER = re.compile(
    r"(?i:id|index|idx|uuid|guid|key|row.?(id|nr|no|num|number)|column_1)|.*[_\s.-](?i:id|uuid|guid)_?|.*[a-z](Id|ID)"
)
_MAX_DISTINCT = 0.25  # text with more distinct values than this share of the rows does not generalise
_MIN_ROWS_PER_VALUE = 20  # of a category that is named like an identifier
_SAME_COUNT = 0.9  # of whole numbers without gaps, of which so many occur equally often: they number groups of rows
_FEW = 20  # distinct values that are never too many
_DIGITS = 2  # significant digits of a bound
# Numbers that stand for times: years; seconds or milliseconds since 1970, for 1990 to 2100.
_TIMES = {"%Y": (1600, 2200), "unix_s": (631_152_000, 4_102_444_800), "unix_ms": (631_152_000_000, 4_102_444_800_000)}


@dataclass
class InferredColumn:
    """A column's entry in the contract, or the reason to leave it out."""

    column: Column | None  # None: it is left out
    values: pd.Series  # in the type of the contract
    reason: str = ""  # why it is left out
    is_identifier: bool = False
    notes: list[str] = field(default_factory=list)
    number_format: NumberFormat | None = None
    datetime_format: str | None = None


def infer_column(values: pd.Series, may_identify: bool = True) -> InferredColumn:
    """The type, nullability and bounds of a column, or the reason to leave it out.

    `may_identify`: whether a column that identifies rows is left out.
    """
    present = values.dropna()
    if present.empty:
        return InferredColumn(None, values, "all values are missing")
    if present.nunique() == 1 and len(present) == len(values):
        return InferredColumn(None, values, f"all rows have the same value, {present.tolist()[0]!r}")
    inferred = _infer_type(values, present)
    if inferred.column is not None and may_identify:
        reason = _why_identifier(str(values.name), inferred.values.dropna(), inferred.column)
        if reason:
            inferred.column, inferred.reason, inferred.is_identifier = None, reason, True
    return inferred


def infer_time_column(values: pd.Series) -> InferredColumn:
    """The column that orders the split: a date-time, or numbers that stand for one.

    Raises:
        ContractError: it is neither, or it is missing in some rows.
    """
    if values.isna().any():
        raise ContractError(
            f"{values.name!r} (--time) is missing in {values.isna().sum()} of {len(values)} rows, which can't be "
            "ordered without it. Fill it in, or leave out --time for a random split"
        )
    inferred = infer_column(values)
    if inferred.column is not None and inferred.column.type == "datetime":
        return inferred
    unit = _datetime_format_of_numbers(inferred.values) if inferred.values.dtype.kind in "iuf" else None
    if unit is None:
        reason = inferred.reason or f"it holds no dates or times, for example {values.unique()[:3].tolist()}"
        raise ContractError(f"{values.name!r} (--time) can't order the rows: {reason}")
    times = to_datetimes(values, unit)
    notes = [f"{values.iloc[0]} is read as {times.iloc[0]}"]
    return InferredColumn(Column(type="datetime"), times, notes=notes, datetime_format=unit)


def _infer_type(values: pd.Series, present: pd.Series) -> InferredColumn:
    nullable = len(present) < len(values)
    if types.is_datetime64_dtype(values.dtype):
        return InferredColumn(Column(type="datetime", nullable=nullable), values)
    if types.is_numeric_dtype(values.dtype):
        return InferredColumn(_with_bounds(values, nullable), values)
    if present.str.startswith(("{", "[")).all():
        return InferredColumn(None, values, "its values are nested")
    number_format = infer_number_format(present)
    if number_format is not None:
        numbers = to_numbers(values, number_format)
        inferred = InferredColumn(_with_bounds(numbers, nullable), numbers)
        if number_format != NumberFormat():
            inferred.number_format = number_format
            inferred.notes = [f"{present.iloc[0]!r} is read as {numbers.dropna().iloc[0]:g}"]
        return inferred
    dates = infer_datetime_format(present)
    if dates is not None:
        times = to_datetimes(values, dates.format)
        inferred = InferredColumn(Column(type="datetime", nullable=nullable), times)
        if dates.format != "ISO8601":
            inferred.datetime_format = dates.format
            inferred.notes = [f"{present.iloc[0]!r} is read as {times.dropna().iloc[0]}"]
        if dates.swapped:
            inferred.notes.append(f"day and month are ambiguous; if they are swapped, the format is {dates.swapped}")
        return inferred
    return InferredColumn(Column(type="category", nullable=nullable), values)


def _datetime_format_of_numbers(values: pd.Series) -> str | None:
    for unit, (first, last) in _TIMES.items():
        if values.between(first, last).all() and (unit != "%Y" or (values % 1 == 0).all()):
            return unit
    days = pd.to_datetime(values.astype("int64").astype(str), format="%Y%m%d", errors="coerce")
    return "%Y%m%d" if days.notna().all() else None


def _with_bounds(values: pd.Series, nullable: bool) -> Column:
    """Bounds that widen the range by its width on either side; values that are never negative keep 0 as bound."""
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        return Column(type="number", nullable=nullable)
    span = high - low
    lower = max(0.0, low - span) if low >= 0 else low - span
    upper = min(0.0, high + span) if high <= 0 else high + span
    return Column(type="number", nullable=nullable, min=_round(lower, math.floor), max=_round(upper, math.ceil))


def _round(bound: float, direction: Callable[[float], int]) -> float:
    """To two significant digits, away from the values."""
    if bound == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(bound))) + 1 - _DIGITS)
    return float(f"{direction(bound / step) * step:.{_DIGITS}g}")


def _why_identifier(name: str, present: pd.Series, column: Column) -> str:
    """Why a column identifies rows, so that nothing learnt from it holds for new ones; empty if it does not."""
    distinct = present.nunique()
    named = bool(_IDENTIFIER.fullmatch(name))
    if distinct <= _FEW:
        return ""
    if column.type == "category":
        if distinct > _MAX_DISTINCT * len(present):
            return f"an identifier or free text: {distinct:,} distinct values in {len(present):,} rows"
        is_rare = len(present) < _MIN_ROWS_PER_VALUE * distinct
        return f"an identifier by its name, with {distinct:,} distinct values" if named and is_rare else ""
    if column.type != "number" or not np.equal(present, present.round()).all():
        return ""
    in_order = present.is_monotonic_increasing or present.is_monotonic_decreasing
    without_gaps = present.max() - present.min() == distinct - 1
    if distinct == len(present) and without_gaps and (named or in_order):
        return "a row number"
    if named:
        return f"an identifier by its name, with {distinct:,} distinct values"
    counts = present.value_counts()
    if without_gaps and 1 < counts.iloc[0] <= 1 / _MAX_DISTINCT and (counts == counts.mode()[0]).mean() >= _SAME_COUNT:
        return f"it numbers groups of rows: {distinct:,} values in {len(present):,} rows"
    return ""
