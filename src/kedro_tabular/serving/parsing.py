"""Request bodies as raw rows: records, and MLflow's formats of `/invocations`.

MLflow's own parser is not used: it casts by the signature before the contract is checked, so that one bad value fails
all rows, and its errors contain stack traces. Here values are left as they are.
"""

import csv
import io
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pydantic_core import from_json

from ..contract import Contract, ContractError, ReadOptions, Values, read_table, to_columns
from .errors import RequestError, invalid_body, too_many_rows

_JSON_FORMATS = ["dataframe_split", "dataframe_records", "instances", "inputs"]


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
        return cls({name: _to_array([record.get(name) for record in records]) for name in columns}, len(records))


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises RequestError if there is none."""
    try:
        parsed = from_json(body)  # accepts NaN, which MLflow's clients send
    except ValueError as error:
        raise RequestError(400, "invalid_json", f"the body is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise invalid_body("the body must be a JSON object", "body", "object")
    return parsed


def logged_columns(contract: Contract, keys: list[str]) -> list[str]:
    """The columns of a request that are kept: features, keys, and the time, even if it is no feature."""
    time = [contract.time] if contract.time else []
    return list(dict.fromkeys([*contract.columns, *time, *keys]))


def rows_from_records(records: Any, field: str, contract: Contract, keys: list[str]) -> Rows:
    """The `logged_columns` of records, missing where a record lacks them. Raises RequestError for other structures."""
    if not isinstance(records, list):
        raise invalid_body(f"{field} must be a list of objects", field, "array of objects")
    for position, record in enumerate(records):
        if not isinstance(record, dict):
            raise invalid_body(f"{field}[{position}] must be an object", f"{field}[{position}]", "object")
    return Rows.from_records(records, logged_columns(contract, keys))


def rows_from_invocation(
    body: bytes, content_type: str, contract: Contract, keys: list[str], max_rows: int
) -> tuple[Rows, dict[str, Any]]:
    """The rows and the params of a request to `/invocations`.

    Raises:
        RequestError: the content type is unknown, or the body is not of that type.
    """
    media_type, _, parameters = content_type.partition(";")
    if parameters.lower().replace(" ", "").replace('"', "") not in ("", "charset=utf-8"):
        raise RequestError(415, "unsupported_charset", "the only supported charset is UTF-8", "content-type", "utf-8")
    media_type = media_type.strip().lower()
    if media_type == "application/json":
        return _from_mlflow_json(parse_json(body), contract)
    if media_type not in _TABLE_FORMATS:
        known = ["application/json", *_TABLE_FORMATS]
        raise RequestError(415, "unsupported_media_type", "unknown content type", "content-type", known)
    try:
        return _TABLE_FORMATS[media_type](body, contract, keys, max_rows), {}
    except RequestError:
        raise
    except Exception as error:  # whatever the reader of that format raises
        reason = str(error) if isinstance(error, ContractError) else type(error).__name__
        raise RequestError(400, "invalid_body", f"the body is not valid {media_type}: {reason}", "body") from None


def _from_mlflow_json(body: dict[str, Any], contract: Contract) -> tuple[Rows, dict[str, Any]]:
    present = [name for name in _JSON_FORMATS if name in body]
    if len(present) != 1:
        raise invalid_body(f"the body must have one of {', '.join(_JSON_FORMATS)}", "body", _JSON_FORMATS)
    params = body.get("params") or {}
    if not isinstance(params, dict):
        raise invalid_body("params must be an object", "params", "object")
    name, data = present[0], body[present[0]]
    if name == "dataframe_split":
        return _from_split(data), params
    if isinstance(data, dict) and name == "inputs":
        return _from_column_lists(data), params
    if isinstance(data, list) and data and all(isinstance(row, list) for row in data):
        return _from_row_lists(data, contract.features, name), params
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return Rows.from_records(data, dict.fromkeys(column for row in data for column in row)), params
    raise invalid_body(f"{name} must be a list of objects", name, "array of objects")


def _from_split(data: Any) -> Rows:
    field = "dataframe_split"
    if not (isinstance(data, dict) and {"columns", "data"} <= set(data) <= {"columns", "data", "index"}):
        raise invalid_body(f"{field} must have columns and data", field, ["columns", "data", "index"])
    columns, rows = data["columns"], data["data"]
    if not (isinstance(columns, list) and all(isinstance(name, str) for name in columns)):
        raise invalid_body("columns must be a list of names", f"{field}.columns", "strings")
    if not isinstance(rows, list):
        raise invalid_body("data must be a list of lists", f"{field}.data", "array of arrays")
    return _from_row_lists(rows, columns, f"{field}.data")


def _from_column_lists(data: dict[str, Any]) -> Rows:
    lengths = {len(values) if isinstance(values, list) else -1 for values in data.values()}
    if len(lengths) > 1 or -1 in lengths:
        raise invalid_body("inputs must be lists of one length", "inputs", "arrays of one length")
    return Rows({name: _to_array(values) for name, values in data.items()}, max(lengths, default=0))


def _from_row_lists(rows: list[Any], columns: list[str], field: str) -> Rows:
    if len(set(columns)) != len(columns):
        raise invalid_body("duplicate column names", "columns", "unique names")
    for position, row in enumerate(rows):
        if not (isinstance(row, list) and len(row) == len(columns)):
            row_field, expected = f"{field}[{position}]", f"array of {len(columns)} values"
            raise invalid_body(f"{row_field} must have one value for each column", row_field, expected)
    return Rows({name: _to_array([row[i] for row in rows]) for i, name in enumerate(columns)}, len(rows))


def _to_array(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):  # np.array would make nested lists a second dimension
        array[position] = value
    return array


def _from_csv(body: bytes, contract: Contract, keys: list[str], max_rows: int) -> Rows:
    """Cells as text; numbers are parsed one by one, so that a text among them does not make its neighbours text."""
    if max(body.count(b"\n"), body.count(b"\r")) > max_rows and _has_more_rows(body, max_rows):
        raise too_many_rows(max_rows)
    rows = Rows.from_table(read_table(io.BytesIO(body), ".csv", ReadOptions()))
    untyped = set(keys) - set(logged_columns(contract, []))
    for parse, names in ((_to_float, contract.of_type("number")), (to_number, untyped)):
        for name in rows.columns.keys() & names:
            rows.columns[name] = _to_array([parse(cell) for cell in rows.columns[name]])
    return rows


def _has_more_rows(body: bytes, max_rows: int) -> bool:
    """Whether a CSV has more rows, which may be fewer than its lines: quoted cells may contain line breaks."""
    lines = csv.reader(io.TextIOWrapper(io.BytesIO(body), "utf-8", newline=""), skipinitialspace=True)
    return sum(1 for line in islice(filter(None, lines), max_rows + 2)) > max_rows + 1  # one is the header


def _to_float(cell: Any) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell


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


def _from_parquet(body: bytes, contract: Contract, keys: list[str], max_rows: int) -> Rows:
    if pq.read_metadata(io.BytesIO(body)).num_rows > max_rows:  # the decoded rows may be far larger than the body
        raise too_many_rows(max_rows)
    columns = [*logged_columns(contract, keys), "id"]  # which may be the caller's own: see callers.py
    return Rows.from_table(read_table(io.BytesIO(body), ".parquet", ReadOptions(), columns))


_TABLE_FORMATS: dict[str, Callable[[bytes, Contract, list[str], int], Rows]] = {
    "text/csv": _from_csv,
    "application/vnd.apache.parquet": _from_parquet,
}
