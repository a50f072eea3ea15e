"""CSV and Parquet bodies as raw rows. What they take in memory is known, and limited, before they are decoded."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..contract import Contract, ContractError, ReadOptions, normalize_arrow_table, read_table
from .errors import RequestError, invalid_body, too_many
from .parquet_pages import decoded_size, read_row_groups
from .parsing import Rows, known_columns, logged_columns, to_array, to_number
from .settings import Limits, ServingSettings

_MAX_ROW_GROUPS = 1_000  # of a Parquet file; each costs time, and files of few rows have one


class TableFormat(NamedTuple):
    """What the rows are read for."""

    contract: Contract
    settings: ServingSettings

    @property
    def used(self) -> list[str]:
        """The columns that are decoded."""
        return known_columns(self.contract, self.settings.key_columns)


def _from_csv(body: bytes, table: TableFormat) -> tuple[Rows, list[str]]:
    """Cells as text; numbers are parsed one by one, so that a text among them does not make its neighbours text."""
    contract, settings = table
    header = _check_csv(body, settings.limits)
    options = ReadOptions(missing=settings.missing)
    rows = Rows.from_table(read_table(io.BytesIO(body), ".csv", options, table.used, contract.zone))
    untyped = set(settings.key_columns) - set(logged_columns(contract, []))
    for parse, names in ((_to_float, contract.of_type("number")), (to_number, untyped)):
        for name in rows.columns.keys() & names:
            rows.columns[name] = to_array([parse(cell) for cell in rows.columns[name]])
    return rows, header


def _check_csv(body: bytes, limits: Limits) -> list[str]:
    """The names of the columns. Raises RequestError if the body exceeds a limit: pandas would read all of it first."""

    def short_lines() -> Iterator[str]:
        for line in io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline=""):
            if line.count(",") > limits.columns:
                raise too_many("columns", limits.columns)
            yield line

    lines = filter(None, csv.reader(short_lines(), skipinitialspace=True))  # a quoted cell may contain line breaks
    header = next(lines, [])
    limits.check_shape(0, len(header), 0)
    for n_rows, cells in enumerate(lines, start=1):
        limits.check_shape(n_rows, len(header), len(header))
        if len(cells) > len(header) + 1:  # R writes names of rows, which have no name in the header
            raise ContractError(f"row {n_rows} has more cells than the header")
    return header


def _to_float(cell: Any) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell


def _from_parquet(body: bytes, table: TableFormat) -> tuple[Rows, list[str]]:
    """Text is decoded as a dictionary and its indices first: a few bytes may stand for gigabytes of equal texts."""
    limits, source = table.settings.limits, pa.BufferReader(body)
    # a list in the footer has at most an element for each column, or for each group of rows
    file = pq.ParquetFile(source, thrift_container_size_limit=10 * (limits.columns + _MAX_ROW_GROUPS))
    names = file.schema_arrow.names
    used = [name for name in dict.fromkeys(names) if name in table.used]
    _check_parquet(file, body, used, limits)
    texts = [name for name in used if _is_text(file.schema_arrow.field(name).type)]
    file = pq.ParquetFile(source, metadata=file.metadata, read_dictionary=texts, pre_buffer=False)
    encoded = file.read(columns=used)
    if sum(map(_decoded_size, encoded.columns)) > limits.decoded_mb * 1e6:
        raise _too_large(limits)
    plain = {
        name: column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for name, column in zip(encoded.column_names, encoded.columns, strict=True)
    }
    return Rows.from_table(normalize_arrow_table(pa.table(plain), table.contract.zone)), names


def _is_text(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in _TEXT_TYPES)


_TEXT_TYPES = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def _decoded_size(column: pa.ChunkedArray) -> int:
    """The bytes of a column without its dictionary."""
    if not (pa.types.is_dictionary(column.type) and _is_text(column.type.value_type)):
        return int(column.nbytes)
    lengths = (pc.binary_length(chunk.dictionary).take(chunk.indices) for chunk in column.chunks)
    return sum(pc.sum(chunk).as_py() or 0 for chunk in lengths)


def _too_large(limits: Limits) -> RequestError:
    expected = f"{limits.decoded_mb:g} MB or less when it is decoded"
    return RequestError(413, "too_large", "the decoded body is too large", "body", expected)


def _check_parquet(file: pq.ParquetFile, body: bytes, used: list[str], limits: Limits) -> None:
    """Raises RequestError if a file has more than the limits allow, or nested columns."""
    metadata, schema = file.metadata, file.schema
    if metadata.num_row_groups > _MAX_ROW_GROUPS:
        raise too_many("row_groups", _MAX_ROW_GROUPS)
    groups = read_row_groups(body)
    if len(groups) != metadata.num_row_groups or any(len(group.columns) != metadata.num_columns for group in groups):
        raise ValueError("the row groups are not those of the footer")
    n_rows = max(metadata.num_rows, sum(group.n_rows for group in groups))
    limits.check_shape(n_rows, metadata.num_columns, len(used))
    for name in used:
        if pa.types.is_nested(file.schema_arrow.field(name).type):
            raise invalid_body(f"the column {name} is nested", name, "a column of plain values")
    size, most = 0, limits.decoded_mb * 1e6
    for position in (i for i in range(metadata.num_columns) if schema.column(i).path in used):
        size += n_rows * max(schema.column(position).length or 0, 0)  # of values of a fixed length
        for group in groups:
            size += decoded_size(body, group.columns[position], most - size)
            if size > most:
                raise _too_large(limits)


TABLE_FORMATS: dict[str, Callable[[bytes, TableFormat], tuple[Rows, list[str]]]] = {
    "text/csv": _from_csv,
    "application/vnd.apache.parquet": _from_parquet,
}
