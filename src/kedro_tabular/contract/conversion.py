"""Conversion of the values of files to the types of the contract."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types
from pydantic import Field

from ..parameters import Section
from .contract import ContractError

_MAX_EXAMPLES = 3
_OFFSET = r"[T ]\d\d[\d:.,]* ?(?:[Zz]|[+-]\d\d[\d:]*)$"  # of ISO 8601, after the time
_UNIX_UNITS: dict[str | None, Literal["s", "ms"]] = {"unix_s": "s", "unix_ms": "ms"}


class NumberFormat(Section):
    """The format of numbers in a column of text."""

    remove: str = ""  # characters to drop: thousands separators, currencies, percent signs
    decimal: str = Field(default=".", min_length=1, max_length=1)


def normalize_dtype(values: pd.Series, zone: dt.tzinfo = dt.UTC) -> pd.Series:
    """Convert a column of any dtype to numbers, datetime64 or text.

    Booleans become the text `true` and `false`, as in JSON; date-times with a time zone are converted to `zone`,
    durations to seconds, nested values to JSON. Text is stripped.
    """
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_convert(zone).dt.tz_localize(None).astype("datetime64[us]")
    if types.is_datetime64_dtype(values.dtype):
        return values.astype("datetime64[us]")
    if types.is_timedelta64_dtype(values.dtype):
        return values.dt.total_seconds()
    if types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype):
        is_numpy = isinstance(values.dtype, np.dtype)
        return values if is_numpy else pd.Series(values.to_numpy(float, na_value=np.nan), values.index)
    return _normalize_objects(values.astype(object), zone)


def _normalize_objects(values: pd.Series, zone: dt.tzinfo) -> pd.Series:
    value_types = {type(value) for value in values.dropna()}
    if value_types and value_types <= {int, float, Decimal, np.int64, np.float64}:
        return pd.to_numeric(values.map(float, na_action="ignore"))
    if value_types and value_types <= {dt.date, dt.datetime, pd.Timestamp}:
        has_zone = values.map(lambda value: getattr(value, "tzinfo", None) is not None)
        return _to_local(pd.to_datetime(values, utc=True), has_zone, zone)
    return _as_text(values)


def _to_local(times: pd.Series, has_zone: pd.Series, zone: dt.tzinfo) -> pd.Series:
    """Date-times in `zone`, without it. Those that had none, and were parsed as UTC, stay as they are."""
    local = times.dt.tz_convert(zone).dt.tz_localize(None)
    return local.where(has_zone, times.dt.tz_localize(None)).astype("datetime64[us]")


def _as_text(values: pd.Series) -> pd.Series:
    text = values.astype(object).map(_format, na_action="ignore")
    return text.where(text.notna(), None).astype("str")


def _format(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, float | Decimal) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, dict | list | tuple | np.ndarray):
        nested = value.tolist() if isinstance(value, np.ndarray) else value
        return json.dumps(nested, default=str, ensure_ascii=False)
    return str(value)


def to_text(values: pd.Series) -> pd.Series:
    """Categories."""
    return values if types.is_string_dtype(values.dtype) else _as_text(values)


def to_numbers(values: pd.Series, number_format: NumberFormat | None) -> pd.Series:
    """Numbers as float64. Raises ContractError, with examples, for values that are not numbers."""
    if types.is_numeric_dtype(values.dtype):
        return values.astype("float64")
    text = values
    if number_format is not None:
        text = text.str.translate({ord(character): None for character in number_format.remove})
        text = text.str.replace(number_format.decimal, ".", regex=False)
    numbers = pd.to_numeric(text.astype(object), errors="coerce")
    _check_parsed(values, numbers, "number")
    return numbers.astype("float64")


def to_datetimes(values: pd.Series, datetime_format: str | None, zone: dt.tzinfo = dt.UTC) -> pd.Series:
    """Date-times, in `zone` where they have a time zone. Raises ContractError, with examples, for values that are none.

    The format is one of strftime, or unix_s or unix_ms, which count from 1970 in UTC; None for ISO 8601.
    """
    if types.is_datetime64_any_dtype(values.dtype):
        return normalize_dtype(values, zone)
    has_zone = pd.Series(True, values.index)
    if datetime_format in _UNIX_UNITS:
        times = pd.to_datetime(to_numbers(values, None), unit=_UNIX_UNITS[datetime_format], utc=True)
    else:
        text = to_text(values)
        times = pd.to_datetime(text, format=datetime_format or "ISO8601", errors="coerce", utc=True)
        is_iso = datetime_format in (None, "ISO8601")
        has_zone &= text.str.contains(_OFFSET, na=False) if is_iso else "%z" in str(datetime_format).lower()
    _check_parsed(values, times, "date-time")
    return _to_local(times, has_zone, zone)


def to_classes(values: pd.Series) -> pd.Series:
    """The target of a classification: integers for true and false (1 and 0) and for integers, else text."""
    if types.is_numeric_dtype(values.dtype):
        is_integer = values.notna().all() and (values % 1 == 0).all()
        return values.astype("int64") if is_integer else to_text(values)
    if values.str.lower().isin(["true", "false"]).all():
        return values.str.lower().eq("true").astype("int64")
    if values.str.fullmatch(r"-?(0|[1-9]\d{0,17})").all():
        return values.astype("int64")
    return to_text(values)


def _check_parsed(values: pd.Series, parsed: pd.Series, expected: str) -> None:
    failed = values.notna() & parsed.isna()
    if failed.any():
        examples = values[failed].unique()[:_MAX_EXAMPLES].tolist()
        count = f"{failed.sum()} of {len(values)} values"
        raise ContractError(f"{values.name}: {count} are not a {expected}, for example {examples}")
