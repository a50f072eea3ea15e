"""Values as files have them, brought into the types of the contract."""

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

_EXAMPLES = 3
_UNIX: dict[str | None, Literal["s", "ms"]] = {"unix_s": "s", "unix_ms": "ms"}  # seconds, or milliseconds, since 1970


class NumberFormat(Section):
    """How numbers are written in a column of text."""

    remove: str = ""  # characters that are no part of the number: thousands separators, currencies, percent
    decimal: str = Field(default=".", min_length=1, max_length=1)


def simplify(values: pd.Series) -> pd.Series:
    """One of four kinds out of all that file formats have: numbers, datetime64, text, or a mixture as text.

    Truth values become the text `true` and `false`, as JSON writes them; points in time with a time zone
    are in UTC; durations are in seconds; nested values become JSON. Text loses blanks around it.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if types.is_bool_dtype(values.dtype):
        return _as_text(values)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")
    if types.is_datetime64_dtype(values.dtype):
        return values.astype("datetime64[us]")
    if types.is_timedelta64_dtype(values.dtype):
        return values.dt.total_seconds()
    if types.is_numeric_dtype(values.dtype):
        plain = isinstance(values.dtype, np.dtype)
        return values if plain else pd.Series(values.to_numpy(float, na_value=np.nan), values.index)
    return _simplify_objects(values)


def _simplify_objects(values: pd.Series) -> pd.Series:
    kinds = {type(value) for value in values.dropna()}
    if kinds and kinds <= {int, float, Decimal, np.int64, np.float64}:
        return pd.to_numeric(values.map(float, na_action="ignore"))
    if kinds and kinds <= {dt.date, dt.datetime, pd.Timestamp}:
        return simplify(pd.to_datetime(values, utc=True))
    return _as_text(values)


def _as_text(values: pd.Series) -> pd.Series:
    text = values.astype(object).map(_write, na_action="ignore")
    return text.where(text.notna(), None).astype("str")


def _write(value: Any) -> str:
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


def to_numbers(values: pd.Series, form: NumberFormat | None) -> pd.Series:
    """Numbers as float64, as they are served. Raises ContractError for what is none, with examples."""
    if types.is_numeric_dtype(values.dtype):
        return values.astype("float64")
    text = values
    if form is not None:
        text = text.str.translate({ord(character): None for character in form.remove})
        text = text.str.replace(form.decimal, ".", regex=False)
    numbers = pd.to_numeric(text.astype(object), errors="coerce")
    _refuse(values, numbers, "number")
    return numbers.astype("float64")


def to_datetimes(values: pd.Series, form: str | None) -> pd.Series:
    """Points in time, in UTC where they have a time zone.

    Args:
        values: of any kind.
        form: of text a format of strftime or ISO8601; of numbers unix_s, unix_ms or a format such as %Y.

    Raises:
        ContractError: for what is none, with examples.
    """
    if types.is_datetime64_dtype(values.dtype):
        return values
    if form in _UNIX:
        times = pd.to_datetime(to_numbers(values, None), unit=_UNIX[form])
    else:
        times = pd.to_datetime(to_text(values), format=form or "ISO8601", errors="coerce", utc=True)
    _refuse(values, times, "point in time")
    return simplify(times)


def to_classes(values: pd.Series) -> pd.Series:
    """A target of classes: true and false as 1 and 0, whole numbers as such, all else as text."""
    if types.is_numeric_dtype(values.dtype):
        whole = bool((values.dropna() % 1 == 0).all())
        return values.astype("int64") if whole and values.notna().all() else to_text(values)
    known = set(values.str.lower().unique())
    if known <= {"true", "false"}:
        return values.str.lower().eq("true").astype("int64")
    if values.str.fullmatch(r"-?(0|[1-9]\d{0,17})").all():
        return values.astype("int64")
    return to_text(values)


def _refuse(given: pd.Series, parsed: pd.Series, what: str) -> None:
    wrong = given.notna() & parsed.isna()
    if wrong.any():
        examples = given[wrong].unique()[:_EXAMPLES].tolist()
        raise ContractError(f"{given.name}: {wrong.sum()} of {len(given)} rows hold no {what}, for example {examples}")
