"""Parquet bodies that a service does not expect."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_ROWS = 20


def to_parquet(table: pa.Table, **options: Any) -> bytes:
    """A Parquet body."""
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def make_bombs(columns: list[str]) -> list[bytes]:
    """Small bodies with these columns that take much memory when they are decoded."""
    bombs = []
    for n_rows, size in ((2000, 1_000_000), (100, 500_000), (9_000, 10_000)):
        texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n_rows, dtype=np.int32)), pa.array(["x" * size]))
        bombs.append(to_parquet(pa.table(dict.fromkeys(columns, texts)), compression="zstd"))
    for n_rows in (9_999, 10_000, 3_000_000):
        bombs.append(to_parquet(pa.table(dict.fromkeys(columns, pa.array(np.zeros(n_rows)))), compression="zstd"))
    return bombs


def make_tables(rows: list[dict[str, Any]]) -> list[pa.Table]:
    """Tables of rows with columns of all types, in the place of those that are expected."""
    table = pa.Table.from_pylist(rows[:_ROWS])
    tables = [
        table,
        table.slice(0, 0),
        pa.table({}),
        table.select([0]),
        table.append_column(table.schema.names[0], table[0]),
    ]
    for position, values in enumerate(_columns()):
        at = position % table.num_columns
        tables.append(table.set_column(at, table.column_names[at], values))
    return tables


def _columns() -> list[pa.Array]:
    times, ones = pa.array([0, None, 2**62] + [1] * (_ROWS - 3)), pa.array([1] * _ROWS)
    types = [pa.decimal128(38, 10), pa.uint64(), pa.time64("us"), pa.duration("s")]
    values: list[Any] = [True, b"\xff\x00", [1], {"a": 1}, {"key": "a"}, float("nan"), "\x00" * 3000, None]
    columns = [times, *(times.cast(kind) for kind in (pa.timestamp("ns"), pa.timestamp("us", "Asia/Kathmandu")))]
    columns += [*(ones.cast(kind) for kind in types), *(pa.array([value] * _ROWS) for value in values)]
    columns += [pa.array([1] * _ROWS, pa.date32()), pa.array([b"abcd"] * _ROWS, pa.binary(4))]
    return [*columns, pa.array(["x"] * _ROWS).dictionary_encode()]
