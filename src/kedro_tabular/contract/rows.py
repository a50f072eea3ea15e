"""Checks of raw rows against the contract, row by row: an invalid row does not affect the others."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from .contract import Column, Contract, ContractError
from .reasons import RowReasons

Values = np.ndarray | ExtensionArray


def to_columns(frame: pd.DataFrame) -> dict[str, Values]:
    """The columns of a table by name, unchanged; the first of those with the same name."""
    columns = reversed(list(frame.items()))  # the last of equal keys stays
    return {
        str(name): column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array for name, column in columns
    }


def check_rows(contract: Contract, rows: Mapping[str, Values], reasons: RowReasons) -> dict[str, np.ndarray]:
    """Convert raw columns to the contract's, in its order and types, and flag rows that break it.

    The flags are `missing`, `wrong_type` and `out_of_range`. Raises ContractError if columns are missing.

    Returns:
        The columns by name, each of shape (n_rows,): numbers as float64, date-times as datetime64, categories as
        objects. Values of a wrong type become missing: NaN, NaT or None.
    """
    absent = [name for name in contract.columns if name not in rows]
    if absent:
        raise ContractError(f"missing columns: {', '.join(absent)}; expected: {', '.join(contract.columns)}")
    converted: dict[str, np.ndarray] = {}
    for name, column in contract.columns.items():
        if column.type == "datetime":
            values, wrong_type = _to_datetimes(rows[name], contract.zone)
        else:
            values, wrong_type = (_to_numbers if column.type == "number" else _to_text)(rows[name])
        converted[name] = values
        if wrong_type is not None and wrong_type.any():
            reasons.add("wrong_type", wrong_type, name, np.asarray(rows[name], dtype=object))
        for code, mask, shown_values in _violations(column, values):
            reasons.add(code, mask if wrong_type is None else mask & ~wrong_type, name, shown_values)
    return converted


def _violations(column: Column, values: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    if not column.nullable:
        yield "missing", _is_missing(values), None
    if column.type == "number":
        low = -np.inf if column.min is None else column.min
        high = np.inf if column.max is None else column.max
        # NaN compares as False, so a missing value is never out of range
        yield "out_of_range", (values < low) | (values > high) | np.isinf(values), values


def _is_missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        return np.equal(values, None)  # type: ignore[call-overload]  # it compares object by object
    return np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)


Converted = tuple[np.ndarray, np.ndarray | None]  # values, and the mask of those of a wrong type, if there can be any


def _to_numbers(raw: Values) -> Converted:
    if raw.dtype.kind in "iuf":
        if isinstance(raw, np.ndarray):
            return raw.astype(np.float64), None
        return raw.to_numpy(dtype=np.float64, na_value=np.nan), None
    return _convert_each(raw, _parse_number, np.dtype(np.float64))


def _to_text(raw: Values) -> Converted:
    if isinstance(raw, ExtensionArray) and isinstance(raw.dtype, pd.StringDtype):
        return raw.to_numpy(dtype=object, na_value=None), None  # type: ignore[arg-type]  # None is allowed
    return _convert_each(raw, _parse_text, np.dtype(object))


def _to_datetimes(raw: Values, zone: dt.tzinfo) -> Converted:
    if isinstance(raw, pd.arrays.DatetimeArray):  # with a time zone, or else it would be an array of numpy
        return raw.tz_convert(zone).tz_localize(None).to_numpy(), None
    if isinstance(raw, np.ndarray) and raw.dtype.kind == "M":
        return raw, None
    return _convert_each(raw, lambda value: parse_datetime(value, zone), np.dtype("datetime64[us]"))


def _convert_each(raw: Values, parse: Callable[[Any], Any], dtype: np.dtype) -> Converted:
    objects = np.asarray(raw, dtype=object)
    parsed = [parse(value) for value in objects]
    failed = np.fromiter((value is None for value in parsed), dtype=bool, count=len(parsed))
    # `isna` takes longer than all else here on a single row
    return np.array(parsed, dtype=dtype), failed & ~pd.isna(objects) if failed.any() else None


def _parse_number(value: Any) -> float | None:
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond float64
        return None


def _parse_text(value: Any) -> str | None:
    """Text, or a boolean as JSON writes it."""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    return value if isinstance(value, str) else None


def parse_datetime(value: Any, zone: dt.tzinfo) -> np.datetime64 | None:
    """A date-time, from an object or ISO 8601 text, in `zone` if it has a time zone of its own; else None."""
    if isinstance(value, np.datetime64):
        return value
    try:
        if isinstance(value, str):
            value = dt.datetime.fromisoformat(value)  # pandas also accepts "now" and other words
        if isinstance(value, dt.datetime) and not pd.isna(value):
            return np.datetime64(value if value.tzinfo is None else value.astimezone(zone).replace(tzinfo=None))
    except (OverflowError, ValueError):  # the conversion to the time zone leaves the years 1 to 9999
        pass
    return None
