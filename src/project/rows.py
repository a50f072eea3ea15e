"""Check raw rows against the contract one by one, so that a bad row never fails the rows beside it."""

import datetime as dt
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from .contract import Column, ColumnType, Contract, ContractError

Values = np.ndarray | ExtensionArray
_LONGEST_VALUE = 60


Reasons = dict[int, tuple[str, ...]]


def check_rows(contract: Contract, frame: pd.DataFrame) -> tuple[pd.DataFrame, Reasons]:
    """Bring rows into the contract's columns, order and types, and say what is wrong with each.

    Returns:
        The rows with the index of `frame`: numbers as float64, date-times as datetime64, categories as text;
        a value of a wrong type becomes missing. And by the position of each row that is not sound its
        reasons, written `code:column=value` with the codes `missing`, `wrong_type` and `out_of_range`.

    Raises:
        ContractError: columns of the contract are missing from `frame`; the message names them.
    """
    absent = [name for name in contract.columns if name not in frame.columns]
    if absent:
        raise ContractError(
            f"missing columns: {', '.join(absent)}; expected are {', '.join(contract.columns)}"
        )
    reasons: Reasons = {}
    clean: dict[str, Values] = {}
    for name, column in contract.columns.items():
        raw = frame[name]
        clean[name] = _CONVERTERS[column.type](raw)
        for code, is_bad in _faults(column, raw, clean[name]):
            for position in np.flatnonzero(is_bad):
                value = str(raw.iloc[position])[:_LONGEST_VALUE]
                reasons[int(position)] = (*reasons.get(int(position), ()), f"{code}:{name}={value}")
    return pd.DataFrame(clean, index=frame.index, copy=False), reasons


def _faults(column: Column, raw: pd.Series, values: Values) -> Iterator[tuple[str, np.ndarray]]:
    lost = pd.isna(values)
    if lost.any():
        given = raw.notna().to_numpy()
        yield "wrong_type", lost & given
        if not column.nullable:
            yield "missing", lost & ~given
    if column.type == "number":
        assert isinstance(values, np.ndarray)  # that is what numbers are converted to
        low = -np.inf if column.min is None else column.min
        high = np.inf if column.max is None else column.max
        # NaN compares as False, so a missing value is never out of range
        yield "out_of_range", (values < low) | (values > high) | np.isinf(values)


def _to_numbers(raw: pd.Series) -> np.ndarray:
    if raw.dtype.kind in "iuf":
        return raw.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.array([float(v) if _is_number(v) else np.nan for v in raw], dtype=np.float64)


def _to_text(raw: pd.Series) -> Values:
    if isinstance(raw.dtype, pd.StringDtype):
        return raw.array
    return np.array([v if isinstance(v, str) else None for v in raw.to_numpy(dtype=object)], dtype=object)


def _to_datetimes(raw: pd.Series) -> np.ndarray:
    if raw.dtype.kind == "M" and not isinstance(raw.dtype, pd.DatetimeTZDtype):
        return raw.to_numpy()
    return np.array([_parse_datetime(value) for value in raw], dtype="datetime64[us]")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _parse_datetime(value: Any) -> np.datetime64:
    """A point in time from a date-time or ISO 8601 text; NaT for anything else or one with a time zone."""
    if isinstance(value, str | dt.datetime | np.datetime64):
        try:
            parsed = pd.Timestamp(value)
        except ValueError:
            return np.datetime64("NaT")
        if parsed.tz is None and not pd.isna(parsed):
            return parsed.to_datetime64()
    return np.datetime64("NaT")


_CONVERTERS: dict[ColumnType, Callable[[pd.Series], Values]] = {
    "category": _to_text,
    "number": _to_numbers,
    "datetime": _to_datetimes,
}
