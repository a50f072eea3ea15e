"""Kedro datasets of the library. Their `metadata` is the user's own; Kedro ignores it."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import AbstractDataset, DatasetError
from rich.progress import track

from .contract import Contract, ReadOptions, apply_contract, read_table_file
from .files import replaced
from .kedro_project import add_project_types
from .lineage import content_md5
from .modelling import serialization

logger = logging.getLogger(__name__)

Loaded = TypeVar("Loaded")


class ReadOnlyDataset(AbstractDataset[Any, Loaded]):
    """A dataset that runs do not write; `read_only` is the message of the error."""

    read_only: ClassVar[str] = "the dataset is read-only"

    def save(self, data: Any) -> None:
        """Raises DatasetError."""
        raise DatasetError(self.read_only)


class _LocalPath:
    """The file or folder of a dataset."""

    _filepath: Path

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class SkopsDataset(_LocalPath, AbstractDataset[Any, Any]):
    """A fitted scikit-learn object in a skops file with reproducible bytes.

    `trusted` names types to trust, beyond those of skops, the library and the project; `*` matches any text.
    """

    def __init__(self, filepath: str, trusted: list[str], metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._trusted = add_project_types(trusted)
        self._cached: tuple[int, Any] | None = None  # the file's modification time, and its object
        self.metadata = metadata

    def save(self, data: Any) -> None:
        """Store the object; if that fails, the earlier file stays unchanged."""
        serialization.dump(data, self._filepath, self._trusted)
        self._cached = (self._modified(), data)

    def load(self) -> Any:
        """The object; an unchanged file is read only once, also for several nodes."""
        if self._cached is None or self._cached[0] != self._modified():
            self._cached = (self._modified(), serialization.load(self._filepath, self._trusted))
        return self._cached[1]

    def _modified(self) -> int:
        return self._filepath.stat().st_mtime_ns

    def _release(self) -> None:
        self._cached = None


class FileVersionsDataset(_LocalPath, ReadOnlyDataset[dict[str, str]]):
    """Loads DVC's md5 of each file in the folder `filepath`, or of that file, by name."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, str]:
        """md5 by file name in alphabetical order, without .dvc files and hidden files."""
        return {
            path.name: content_md5(path)
            for path in ([self._filepath] if self._filepath.is_file() else sorted(self._filepath.iterdir()))
            if path.is_file() and path.suffix != ".dvc" and not path.name.startswith(".")
        }


class FileSizesDataset(ReadOnlyDataset[dict[str, int]]):
    """Loads the size of each file in bytes, by path."""

    def __init__(self, files: list[str], metadata: dict[str, Any] | None = None) -> None:
        self._files = files
        self.metadata = metadata

    def load(self) -> dict[str, int]:
        """Sizes by path."""
        return {file: Path(file).stat().st_size for file in self._files}

    def _describe(self) -> dict[str, Any]:
        return {"files": self._files}


class TableFileDataset(_LocalPath, ReadOnlyDataset[pd.DataFrame]):
    """The user's table. Rows without a target are dropped; the log says how many.

    Args:
        filepath: a CSV, TSV, Parquet, Excel, OpenDocument or JSON-lines file, named accordingly.
        table: `params:table`.
        options: the fields of `ReadOptions`.
    """

    read_only = "the table is the user's own file, which runs never write"

    def __init__(
        self, filepath: str, table: Mapping[str, Any], metadata: dict[str, Any] | None = None, **options: Any
    ) -> None:
        self._filepath = Path(filepath)
        self._contract = Contract.from_parameters(table)
        self._options = ReadOptions.read("the catalog's entry", options)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """All columns of the file, those of the contract in its types. Raises ContractError where they can't be."""
        raw = read_table_file(self._filepath, self._options, self._contract.zone)
        table, n_dropped = apply_contract(raw, self._contract, self._options)
        if n_dropped:
            logger.info("%s of %s rows have no %s: dropped", f"{n_dropped:,}", f"{len(raw):,}", self._contract.target)
        return table


class TableChunks(Iterator[pd.DataFrame]):
    """A table as a stream of parts, and the types of its columns, which a part without values does not show.

    `schema` may leave out columns.
    """

    def __init__(self, parts: Iterable[pd.DataFrame], schema: pa.Schema) -> None:
        self._parts, self.schema = iter(parts), schema

    def __next__(self) -> pd.DataFrame:
        return next(self._parts)


class ParquetChunksDataset(_LocalPath, AbstractDataset[Iterable[pd.DataFrame], TableChunks]):
    """A Parquet file as a stream of tables of at most `rows` rows, so that memory does not grow with the file."""

    def __init__(self, filepath: str, rows: int = 50_000, metadata: dict[str, Any] | None = None) -> None:
        self._filepath, self._rows = Path(filepath), rows
        self.metadata = metadata

    def load(self) -> TableChunks:
        """The tables one after the other, with a progress bar.

        A column has the same type in all of them. Integers of which some are missing have one of pandas' nullable
        types, in which they stay exact.
        """
        file = pq.ParquetFile(self._filepath)
        total, integers = -(-file.metadata.num_rows // self._rows), _nullable_integers(file)
        batches = track(file.iter_batches(self._rows), self._filepath.name, total=total, transient=True)
        return TableChunks((_to_frame(batch, integers) for batch in batches), file.schema_arrow)

    def save(self, data: Iterable[pd.DataFrame]) -> None:
        """Write the tables as they come; until the last one is written, the earlier file stays unchanged.

        The types are those of the stream's schema; columns that it leaves out have those of the first table.
        """
        parts = iter(data)
        first = next(parts, None)
        if first is None:
            raise DatasetError("there are no rows to write")
        schema = _schema(first, data.schema if isinstance(data, TableChunks) else pa.schema([]))
        with replaced(self._filepath) as partial, pq.ParquetWriter(partial, schema) as writer:
            for frame in chain([first], parts):
                writer.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False))


def _nullable_integers(file: pq.ParquetFile) -> dict[str, pd.Int64Dtype | pd.UInt64Dtype]:
    """The columns of integers of which some may be missing in the file, and pandas' type for them."""
    groups = (file.metadata.row_group(number).to_dict() for number in range(file.metadata.num_row_groups))
    columns = (column for group in groups for column in group["columns"])
    nullable = {column["path_in_schema"] for column in columns if (column["statistics"] or {}).get("null_count") != 0}
    return {
        field.name: pd.UInt64Dtype() if pa.types.is_unsigned_integer(field.type) else pd.Int64Dtype()
        for field in file.schema_arrow
        if pa.types.is_integer(field.type) and field.name in nullable
    }


def _to_frame(batch: pa.RecordBatch, integers: Mapping[str, Any]) -> pd.DataFrame:
    frame = batch.to_pandas()
    for name in frame.columns.intersection(list(integers)):  # without an index of pandas' own
        frame[name] = batch[name].to_pandas(types_mapper=lambda _, name=name: integers[name]).array
    return frame


def _schema(first: pd.DataFrame, known: pa.Schema) -> pa.Schema:
    """The known types; of other columns those of the first table, and text for those without any value."""
    schema = pa.Schema.from_pandas(first, preserve_index=False)
    types = {pa.null(): pa.string(), pa.list_(pa.null()): pa.list_(pa.string())}
    types_by_name = {field.name: types.get(field.type, field.type) for field in schema}
    for field in known:
        is_category = pa.types.is_dictionary(field.type)  # whose codes differ from part to part
        types_by_name[field.name] = field.type.value_type if is_category else field.type
    return pa.schema([(name, types_by_name[name]) for name in schema.names], schema.metadata)
