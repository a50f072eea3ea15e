"""Bodies of requests as raw rows: plain records, and MLflow's formats of `/invocations`.

MLflow's own parser is not used: it casts by the signature before the contract has seen a value, so that one
value that can't be cast fails all rows, and its errors hold stack traces. Values are left as they came.
"""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pydantic_core import from_json

from ..contract import Contract, Values, to_columns
from .errors import RequestError, too_many_rows

_FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_INVALID = "invalid_body"


class Rows(NamedTuple):
    """Raw rows: columns by name, each of shape (n_rows,)."""

    columns: dict[str, Values]
    n_rows: int


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises RequestError if it is none."""
    try:
        parsed = from_json(body)  # takes NaN, which MLflow's clients send
    except ValueError as error:
        raise RequestError(400, "invalid_json", f"the body is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise RequestError(422, _INVALID, "the body must be a JSON object", "body", "object")
    return parsed


def rows_from_records(records: Any, field: str, contract: Contract, keys: list[str]) -> Rows:
    """Records as the contract's columns, its time and `keys`; what a record does not have is missing.

    Raises:
        RequestError: it is not a list of objects.
    """
    if not isinstance(records, list):
        raise RequestError(422, _INVALID, f"{field} must be a list of objects", field, "array of objects")
    for position, record in enumerate(records):
        if not isinstance(record, dict):
            raise RequestError(
                422, _INVALID, f"{field}[{position}] must be an object", f"{field}[{position}]", "object"
            )
    columns = _wanted(contract, keys)
    return Rows({name: _objects([record.get(name) for record in records]) for name in columns}, len(records))


def _wanted(contract: Contract, keys: list[str]) -> list[str]:
    """What is kept of a request. The time of a row counts for monitoring, also where it is no feature."""
    time = [contract.time] if contract.time else []
    return list(dict.fromkeys([*contract.features, *time, *keys]))


def rows_from_invocation(
    body: bytes, content_type: str, contract: Contract, keys: list[str], max_rows: int
) -> tuple[Rows, dict[str, Any]]:
    """The rows of a request to `/invocations`, and its parameters.

    Raises:
        RequestError: the body is not of its content type, or of none that is known.
    """
    kind, _, parameters = content_type.partition(";")
    charset = parameters.lower().replace(" ", "").replace('"', "")
    if charset not in ("", "charset=utf-8"):
        raise RequestError(415, "unsupported_charset", "only UTF-8 is understood", "content-type", "utf-8")
    kind = kind.strip().lower()
    if kind == "application/json":
        return _from_mlflow_json(parse_json(body), contract)
    if kind not in _TABLES:
        known = ["application/json", *_TABLES]
        raise RequestError(415, "unsupported_media_type", "the content type is not known", "content-type", known)
    try:
        return _TABLES[kind](body, contract, keys, max_rows), {}
    except RequestError:
        raise
    except Exception as error:  # whatever the reader of that format raises
        raise RequestError(400, _INVALID, f"the body can't be read as {kind}: {type(error).__name__}", "body") from None


def _from_mlflow_json(body: dict[str, Any], contract: Contract) -> tuple[Rows, dict[str, Any]]:
    given = [name for name in _FORMATS if name in body]
    if len(given) != 1:
        raise RequestError(422, _INVALID, f"the body must have one of {', '.join(_FORMATS)}", "body", list(_FORMATS))
    params = body.get("params") or {}
    if not isinstance(params, dict):
        raise RequestError(422, _INVALID, "params must be an object", "params", "object")
    name, data = given[0], body[given[0]]
    if name == "dataframe_split":
        return _from_split(data), params
    if isinstance(data, dict) and name == "inputs":  # a list for each column
        return _from_columns(data), params
    if isinstance(data, list) and data and all(isinstance(row, list) for row in data):
        return _from_lists(data, contract.features, name), params
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        columns = dict.fromkeys(column for row in data for column in row)
        return Rows({c: _objects([row.get(c) for row in data]) for c in columns}, len(data)), params
    raise RequestError(422, _INVALID, f"{name} must be a list of objects", name, "array of objects")


def _from_split(data: Any) -> Rows:
    field = "dataframe_split"
    if not (isinstance(data, dict) and {"columns", "data"} <= set(data) <= {"columns", "data", "index"}):
        raise RequestError(422, _INVALID, f"{field} must have columns and data", field, ["columns", "data", "index"])
    columns, rows = data["columns"], data["data"]
    if not (isinstance(columns, list) and all(isinstance(name, str) for name in columns)):
        raise RequestError(422, _INVALID, "columns must be a list of names", f"{field}.columns", "strings")
    if not isinstance(rows, list):
        raise RequestError(422, _INVALID, "data must be a list of lists", f"{field}.data", "array of arrays")
    return _from_lists(rows, columns, f"{field}.data")


def _from_columns(data: dict[str, Any]) -> Rows:
    lengths = {len(values) if isinstance(values, list) else -1 for values in data.values()}
    if len(lengths) > 1 or -1 in lengths:
        raise RequestError(422, _INVALID, "inputs must hold lists of one length", "inputs", "arrays of one length")
    return Rows({name: _objects(values) for name, values in data.items()}, max(lengths, default=0))


def _from_lists(rows: list[Any], columns: list[str], field: str) -> Rows:
    if len(set(columns)) != len(columns):
        raise RequestError(422, _INVALID, "a column is named twice", "columns", "names that differ")
    for position, row in enumerate(rows):
        if not (isinstance(row, list) and len(row) == len(columns)):
            where = f"{field}[{position}]"
            expected = f"array of {len(columns)} values"
            raise RequestError(422, _INVALID, f"{where} must have a value for each column", where, expected)
    columned: dict[str, Values] = {name: _objects([row[place] for row in rows]) for place, name in enumerate(columns)}
    return Rows(columned, len(rows))


def _objects(values: list[Any]) -> np.ndarray:
    made = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):  # numpy would take a list among the values apart
        made[position] = value
    return made


def _from_csv(body: bytes, contract: Contract, keys: list[str], max_rows: int) -> Rows:
    frame = pd.read_csv(io.BytesIO(body), dtype=str, encoding="utf-8", nrows=max_rows + 1)
    for name in contract.of_type("number"):
        if name in frame:  # value by value: text among the numbers must not turn its neighbours into text
            frame[name] = np.array([_number(value) for value in frame[name]], dtype=object)
    return Rows(to_columns(frame), len(frame))


def _number(text: Any) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _from_parquet(body: bytes, contract: Contract, keys: list[str], max_rows: int) -> Rows:
    file = pq.ParquetFile(io.BytesIO(body))
    rows = file.metadata.num_rows
    if rows > max_rows:  # before it is unpacked: it may be far larger than the body
        raise too_many_rows(rows, max_rows)
    wanted = set(_wanted(contract, keys))
    frame = file.read(columns=[name for name in file.schema_arrow.names if name in wanted]).to_pandas()
    return Rows(to_columns(frame), len(frame))


_TABLES: dict[str, Callable[[bytes, Contract, list[str], int], Rows]] = {
    "text/csv": _from_csv,
    "application/vnd.apache.parquet": _from_parquet,
}
