"""Bodies of requests as raw rows. Values are left as they are: the model checks them row by row."""

import math
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic_core import from_json

from ..contract import Contract, Values, to_columns
from .errors import RequestError, invalid_body, too_many
from .settings import Limits
from .unknown_fields import check_present

RECORD_ID = "id"  # the field of a record that is the caller's own id, if it is no column: see callers.py


class Rows(NamedTuple):
    """Raw rows: columns by name, each of shape (n_rows,)."""

    columns: dict[str, Values]
    n_rows: int

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Self:
        """The rows of a table."""
        return cls(to_columns(table), len(table))

    @classmethod
    def from_records(cls, records: list[dict[str, Any]], columns: Iterable[str]) -> Self:
        """These columns of records; a value that a record lacks is missing."""
        return cls({name: to_array([record.get(name) for record in records]) for name in columns}, len(records))


def to_array(values: list[Any]) -> np.ndarray:
    """Values of any types as objects, shape (n_rows,)."""
    array = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):  # np.array would make nested lists a second dimension
        array[position] = value
    return array


def parse_json(body: bytes, limits: Limits) -> dict[str, Any]:
    """The JSON object of a body. Raises RequestError if there is none, or if it has more values than allowed."""
    most = limits.cells + limits.rows + limits.columns  # an object or a list for each row, and names of columns
    if sum(map(body.count, _BEFORE_VALUES)) > most and _count_values(body) > most:
        raise too_many("cells", limits.cells)
    try:
        parsed = from_json(body)  # accepts NaN, which MLflow's clients send
    except ValueError as error:
        raise RequestError(400, "invalid_json", f"the body is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise invalid_body("the body must be a JSON object", "body", "object")
    return parsed


_BEFORE_VALUES = (b",", b"[", b"{")


def _count_values(body: bytes) -> int:
    """The values of a JSON text: what stands before them, outside of texts. NumPy works without Python's lock."""
    characters = np.frombuffer(body.replace(rb"\\", b"").replace(rb"\"", b""), dtype=np.uint8)
    is_inside = np.cumsum(characters == ord('"'), dtype=np.uint8) % 2 == 1
    return sum(int(np.count_nonzero((characters == ord(mark)) & ~is_inside)) for mark in _BEFORE_VALUES)


def logged_columns(contract: Contract, keys: list[str]) -> list[str]:
    """The columns of a request that are kept: features, keys, and the time, even if it is no feature."""
    time = [contract.time] if contract.time else []
    return list(dict.fromkeys([*contract.columns, *time, *keys]))


def known_columns(contract: Contract, keys: list[str]) -> list[str]:
    """The columns of a request that are read: those that are kept, and the caller's ids."""
    return list(dict.fromkeys([*logged_columns(contract, keys), RECORD_ID]))


class Records(NamedTuple):
    """The records of a body."""

    records: list[dict[str, Any]]
    fields: list[str]  # the names of their fields
    body_fields: list[str]  # and of those of the body


def parse_records(body: bytes, field: str, limits: Limits) -> Records:
    """The records in a field of a body.

    Raises:
        RequestError: the body has another structure, or exceeds a limit.
    """
    parsed = parse_json(body, limits)
    check_present(parsed, [field], f"{field} must be a list of objects")
    records = check_records(parsed[field], field)
    return Records(records, record_fields(records, limits), list(parsed))


def check_records(records: Any, field: str) -> list[dict[str, Any]]:
    """The records. Raises RequestError if they are anything but a list of objects."""
    if not isinstance(records, list):
        raise invalid_body(f"{field} must be a list of objects", field, "array of objects")
    for position, record in enumerate(records):
        if not isinstance(record, dict):
            raise invalid_body(f"{field}[{position}] must be an object", f"{field}[{position}]", "object")
    return records


def record_fields(records: list[dict[str, Any]], limits: Limits) -> list[str]:
    """The names of the fields of records. Raises RequestError if there are too many records, or names."""
    limits.check_shape(len(records), 0, 0)
    names = list(dict.fromkeys(name for record in records for name in record))
    limits.check_shape(len(records), len(names), 0)  # a record need not have all of them
    return names


def rows_from_records(records: Any, field: str, contract: Contract, keys: list[str]) -> Rows:
    """The `logged_columns` of records, missing where a record lacks them. Raises RequestError for other structures."""
    return Rows.from_records(check_records(records, field), logged_columns(contract, keys))


def to_number(value: Any) -> Any:
    """The number that a text stands for if numbers are written like this: 7, 7.0, -1.5, but not 007, 1.50 or nan.

    Whole numbers are returned as integers, everything else unchanged.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            if str(int(value)) == value:
                return int(value)
        with suppress(ValueError):
            number = float(value)
            if str(number) == value and math.isfinite(number):
                return int(number) if number.is_integer() else number
    return value
