"""Check raw rows against the contract one by one, so that a bad row never fails the rows beside it."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from .contract import Column, ColumnType, Contract, ContractError
from .reasons import RowReasons

Values = np.ndarray | ExtensionArray


def to_columns(frame: pd.DataFrame) -> dict[str, Values]:
    """The columns of a table by name, as they are. Of two with one name the first counts."""
    columns = reversed(list(frame.items()))
    return {
        str(name): column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array for name, column in columns
    }


def check_rows(contract: Contract, rows: Mapping[str, Values], findings: RowReasons) -> dict[str, np.ndarray]:
    """Bring rows into the contract's columns, order and types, and find what is wrong with each.

    Args:
        contract: the contract.
        rows: raw columns by name; those that the contract does not name are ignored.
        findings: gets what breaks the contract, under `missing`, `wrong_type` and `out_of_range`.

    Returns:
        The columns by name, each of shape (n_rows,): numbers as float64, date-times as datetime64, categories
        as objects. A value of a wrong type becomes missing: NaN, NaT or None.

    Raises:
        ContractError: columns of the contract are missing; the message names them.
    """
    absent = [name for name in contract.columns if name not in rows]
    if absent:
        raise ContractError(f"missing columns: {', '.join(absent)}; expected are {', '.join(contract.columns)}")
    clean: dict[str, np.ndarray] = {}
    for name, column in contract.columns.items():
        raw = rows[name]
        values, wrong = _CONVERTERS[column.type](raw)
        clean[name] = values
        if wrong is not None and wrong.any():
            findings.add("wrong_type", wrong, name, np.asarray(raw, dtype=object))
        for code, is_bad, shown in _faults(column, values):
            findings.add(code, is_bad if wrong is None else is_bad & ~wrong, name, shown)
    return clean


def _faults(column: Column, values: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    if not column.nullable:
        yield "missing", _is_missing(values), None
    if column.type == "number":
        low = -np.inf if column.min is None else column.min
        high = np.inf if column.max is None else column.max
        # NaN compares as False, so a missing value is never out of range
        yield "out_of_range", (values < low) | (values > high) | np.isinf(values), values


def _is_missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        return np.equal(values, None)  # type: ignore[call-overload]  # it compares each object
    return np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)


Converted = tuple[np.ndarray, np.ndarray | None]  # the values, and which were of a wrong type, if any can be


def _to_numbers(raw: Values) -> Converted:
    if raw.dtype.kind in "iuf":
        if isinstance(raw, np.ndarray):
            return raw.astype(np.float64), None
        return raw.to_numpy(dtype=np.float64, na_value=np.nan), None
    return _one_by_one(raw, _parse_number, np.dtype(np.float64))


def _to_text(raw: Values) -> Converted:
    if isinstance(raw, ExtensionArray) and isinstance(raw.dtype, pd.StringDtype):
        return raw.to_numpy(dtype=object, na_value=None), None  # type: ignore[arg-type]  # None is allowed
    return _one_by_one(raw, _parse_text, np.dtype(object))


def _to_datetimes(raw: Values) -> Converted:
    if isinstance(raw, np.ndarray) and raw.dtype.kind == "M":
        return raw, None
    return _one_by_one(raw, parse_datetime, np.dtype("datetime64[us]"))


def _one_by_one(raw: Values, parse: Callable[[Any], Any], dtype: np.dtype) -> Converted:
    given = np.asarray(raw, dtype=object)
    parsed = [parse(value) for value in given]
    lost = np.fromiter((value is None for value in parsed), dtype=bool, count=len(parsed))
    # on a single row, looking for missing values costs more than all else here
    return np.array(parsed, dtype=dtype), lost & ~pd.isna(given) if lost.any() else None


def _parse_number(value: Any) -> float | None:
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer that no float64 can hold
        return None


def _parse_text(value: Any) -> str | None:
    """Text as it is, and truth values as JSON writes them."""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    return value if isinstance(value, str) else None


def parse_datetime(value: Any) -> np.datetime64 | None:
    """A point in time from a date-time or ISO 8601 text; None for anything else or one with a time zone."""
    if isinstance(value, np.datetime64):
        return value
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)  # pandas would also take "now" and much else
        except ValueError:
            return None
    if isinstance(value, dt.datetime) and value.tzinfo is None and not pd.isna(value):
        return np.datetime64(value)
    return None


_CONVERTERS: dict[ColumnType, Callable[[Values], Converted]] = {
    "category": _to_text,
    "number": _to_numbers,
    "datetime": _to_datetimes,
}
