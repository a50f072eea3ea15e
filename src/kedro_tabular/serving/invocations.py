"""Bodies of `/invocations`: the formats of MLflow's clients.

MLflow's own parser is not used: it casts by the signature before the contract is checked, so that one bad value fails
all rows, and its errors contain stack traces.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from ..contract import Contract, ContractError
from .errors import RequestError, invalid_body
from .parsing import Rows, check_records, known_columns, parse_json, record_fields, to_array
from .settings import ServingSettings
from .table_formats import TABLE_FORMATS, TableFormat
from .unknown_fields import check_present

_JSON_FORMATS = ["dataframe_split", "dataframe_records", "instances", "inputs"]
BODY_FIELDS = [*_JSON_FORMATS, "params"]
PARAMS = ["explain"]


class Invocation(NamedTuple):
    """A request to `/invocations`."""

    rows: Rows  # of the columns that are used
    fields: list[str]  # the names of all columns
    params: dict[str, Any]
    body_fields: list[str]  # the names of the fields of a JSON body


def parse_invocation(body: bytes, content_type: str, contract: Contract, settings: ServingSettings) -> Invocation:
    """Parse a request to `/invocations`.

    Raises:
        RequestError: the content type is unknown, the body is not of that type, or it exceeds a limit.
    """
    media_type, _, parameters = content_type.partition(";")
    if parameters.lower().replace(" ", "").replace('"', "") not in ("", "charset=utf-8"):
        raise RequestError(415, "unsupported_charset", "the only supported charset is UTF-8", "content-type", "utf-8")
    media_type = media_type.strip().lower()
    if media_type == "application/json":
        return _MlflowJson(contract, settings).parse(body)
    if media_type not in TABLE_FORMATS:
        known = ["application/json", *TABLE_FORMATS]
        raise RequestError(415, "unsupported_media_type", "unknown content type", "content-type", known)
    try:
        rows, fields = TABLE_FORMATS[media_type](body, TableFormat(contract, settings))
    except RequestError:
        raise
    except Exception as error:  # whatever the reader of that format raises
        reason = str(error) if isinstance(error, ContractError) else type(error).__name__
        raise RequestError(400, "invalid_body", f"the body is not valid {media_type}: {reason}", "body") from None
    return Invocation(rows, fields, {}, [])


class _MlflowJson:
    """The JSON formats. Only the columns that are used become arrays."""

    def __init__(self, contract: Contract, settings: ServingSettings) -> None:
        self._features, self._limits = contract.features, settings.limits
        self._used = known_columns(contract, settings.key_columns)

    def parse(self, body: bytes) -> Invocation:
        """The rows, the names of the columns, and the params of a body."""
        parsed = parse_json(body, self._limits)
        message = f"the body must have one of {', '.join(_JSON_FORMATS)}"
        check_present(parsed, _JSON_FORMATS, message)
        present = [name for name in _JSON_FORMATS if name in parsed]
        if len(present) != 1:
            raise invalid_body(message, "body", _JSON_FORMATS)
        params = parsed.get("params") or {}
        if not isinstance(params, dict):
            raise invalid_body("params must be an object", "params", "object")
        rows, fields = self._parse_format(present[0], parsed[present[0]])
        return Invocation(rows, fields, params, list(parsed))

    def _parse_format(self, name: str, data: Any) -> tuple[Rows, list[str]]:
        if name == "dataframe_split":
            return self._from_split(data)
        if isinstance(data, dict) and name == "inputs":
            return self._from_column_lists(data)
        if isinstance(data, list) and data and all(isinstance(row, list) for row in data):
            return self._from_row_lists(data, self._features, name)
        if isinstance(data, list) and all(isinstance(row, dict) for row in data):
            return self._from_records(data, name)
        raise invalid_body(f"{name} must be a list of objects", name, "array of objects")

    def _from_records(self, records: list[dict[str, Any]], field: str) -> tuple[Rows, list[str]]:
        fields = record_fields(check_records(records, field), self._limits)
        return Rows.from_records(records, self._select(fields)), fields

    def _from_split(self, data: Any) -> tuple[Rows, list[str]]:
        field = "dataframe_split"
        if not (isinstance(data, dict) and {"columns", "data"} <= set(data) <= {"columns", "data", "index"}):
            raise invalid_body(f"{field} must have columns and data", field, ["columns", "data", "index"])
        columns, rows = data["columns"], data["data"]
        if not (isinstance(columns, list) and all(isinstance(name, str) for name in columns)):
            raise invalid_body("columns must be a list of names", f"{field}.columns", "strings")
        if not isinstance(rows, list):
            raise invalid_body("data must be a list of lists", f"{field}.data", "array of arrays")
        return self._from_row_lists(rows, columns, f"{field}.data")

    def _from_column_lists(self, data: dict[str, Any]) -> tuple[Rows, list[str]]:
        lengths = {len(values) if isinstance(values, list) else -1 for values in data.values()}
        if len(lengths) > 1 or -1 in lengths:
            raise invalid_body("inputs must be lists of one length", "inputs", "arrays of one length")
        n_rows, fields = max(lengths, default=0), list(data)
        self._limits.check_shape(n_rows, len(fields), len(fields))
        return Rows({name: to_array(data[name]) for name in self._select(fields)}, n_rows), fields

    def _from_row_lists(self, rows: list[Any], columns: list[str], field: str) -> tuple[Rows, list[str]]:
        self._limits.check_shape(len(rows), len(columns), len(columns))
        if len(set(columns)) != len(columns):
            raise invalid_body("duplicate column names", "columns", "unique names")
        for position, row in enumerate(rows):
            if not (isinstance(row, list) and len(row) == len(columns)):
                row_field, expected = f"{field}[{position}]", f"array of {len(columns)} values"
                raise invalid_body(f"{row_field} must have one value for each column", row_field, expected)
        positions = {name: position for position, name in enumerate(columns)}
        used = {name: positions[name] for name in self._select(columns)}
        return Rows({name: to_array([row[i] for row in rows]) for name, i in used.items()}, len(rows)), columns

    def _select(self, fields: Collection[str]) -> list[str]:
        present = set(fields)
        return [name for name in self._used if name in present]
