"""Catalog datasets of the project's own."""

import hashlib
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
from .modelling import serialization
from .project import trust_own_types

logger = logging.getLogger(__name__)

Loaded = TypeVar("Loaded")


class ReadOnlyDataset(AbstractDataset[Any, Loaded]):
    """A dataset that a run can only read. `read_only` says who writes it instead."""

    read_only: ClassVar[str] = "it can only be read"

    def save(self, data: Any) -> None:
        """Refuse. Raises DatasetError."""
        raise DatasetError(self.read_only)


class SkopsDataset(AbstractDataset[Any, Any]):
    """A fitted scikit-learn object as a skops file with reproducible bytes.

    Args:
        filepath: where the file is.
        trusted: names of the types that it may be built of, beyond those of skops, the library and the project;
            `*` stands for any characters.
        metadata: anything; Kedro ignores it.
    """

    def __init__(self, filepath: str, trusted: list[str], metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._trusted = trust_own_types(trusted)
        self._kept: tuple[int, Any] | None = None
        self.metadata = metadata

    def save(self, data: Any) -> None:
        """Store the object; a failed save leaves the earlier file as it was."""
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        serialization.dump(data, self._filepath, self._trusted)
        self._keep(data)

    def load(self) -> Any:
        """The object as it is in the file now; one that several nodes of a run take is read once."""
        if self._kept is None or self._kept[0] != self._modified():
            self._keep(serialization.load(self._filepath, self._trusted))
        assert self._kept is not None
        return self._kept[1]

    def _keep(self, fitted: Any) -> None:
        self._kept = (self._modified(), fitted)

    def _modified(self) -> int:
        return self._filepath.stat().st_mtime_ns

    def _release(self) -> None:
        self._kept = None

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class FileVersionsDataset(ReadOnlyDataset[dict[str, str]]):
    """What is in the files of a folder: loads as a mapping of file to md5, the same md5 that DVC has for it.

    Args:
        filepath: the folder.
        metadata: anything; Kedro ignores it.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, str]:
        """File name to md5, in alphabetical order, leaving out DVC's pointers and hidden files."""
        return {
            path.name: hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            for path in sorted(self._folder.iterdir())
            if path.is_file() and path.suffix != ".dvc" and not path.name.startswith(".")
        }

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._folder}


class FileSizesDataset(ReadOnlyDataset[dict[str, int]]):
    """How large some files are: loads as a mapping of file to bytes.

    Args:
        files: the files.
        metadata: anything; Kedro ignores it.
    """

    def __init__(self, files: list[str], metadata: dict[str, Any] | None = None) -> None:
        self._files = files
        self.metadata = metadata

    def load(self) -> dict[str, int]:
        """Bytes by path."""
        return {file: Path(file).stat().st_size for file in self._files}

    def _describe(self) -> dict[str, Any]:
        return {"files": self._files}


class TableFileDataset(ReadOnlyDataset[pd.DataFrame]):
    """A table that is only read. Rows without a target are left out, and the log says how many.

    Args:
        filepath: a CSV, TSV, Parquet, Excel, OpenDocument or JSON-lines file; its name ends accordingly.
        table: `params:table`.
        metadata: anything; Kedro ignores it.
        reading: what `Reading` has.
    """

    def __init__(
        self, filepath: str, table: Mapping[str, Any], metadata: dict[str, Any] | None = None, **reading: Any
    ) -> None:
        self._filepath = Path(filepath)
        self._contract = Contract.from_parameters(table)
        self._reading = ReadOptions.read("the catalog's entry", reading)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """All columns of the file, those of the contract in its types.

        Raises:
            ContractError: a value can't be read as the type that the contract gives its column.
        """
        raw = read_table_file(self._filepath, self._reading)
        table, without = apply_contract(raw, self._contract, self._reading)
        if without:
            target = self._contract.target
            logger.info("%s of %s rows have no %s and are left out", f"{without:,}", f"{len(raw):,}", target)
        return table

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class ParquetChunksDataset(AbstractDataset[Iterable[pd.DataFrame], Iterator[pd.DataFrame]]):
    """A Parquet file as a stream of tables, so that memory does not grow with its rows.

    Args:
        filepath: where the file is.
        rows: how many rows a table has at most.
        metadata: anything; Kedro ignores it.
    """

    def __init__(self, filepath: str, rows: int = 50_000, metadata: dict[str, Any] | None = None) -> None:
        self._filepath, self._rows = Path(filepath), rows
        self.metadata = metadata

    def load(self) -> Iterator[pd.DataFrame]:
        """The tables one after the other, with a bar that shows how far they are."""
        file = pq.ParquetFile(self._filepath)  # now, and not with the first table: a missing file fails here
        return self._read(file)

    def _read(self, file: pq.ParquetFile) -> Iterator[pd.DataFrame]:
        total = -(-file.metadata.num_rows // self._rows)
        batches = file.iter_batches(self._rows)
        for batch in track(batches, self._filepath.name, total=total, transient=True):
            yield batch.to_pandas()

    def save(self, data: Iterable[pd.DataFrame]) -> None:
        """Write the tables as they come. Until the last one is there, an earlier file stays as it is."""
        frames = iter(data)
        first = next(frames, None)
        if first is None:
            raise DatasetError("there are no rows to write")
        schema = _schema(first)
        with replaced(self._filepath) as partial, pq.ParquetWriter(partial, schema) as writer:
            for frame in chain([first], frames):
                writer.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "rows": self._rows}


def _schema(first: pd.DataFrame) -> pa.Schema:
    """The types of the first table; what it has no value of to tell the type by is text."""
    schema = pa.Schema.from_pandas(first, preserve_index=False)
    unknown = {pa.null(): pa.string(), pa.list_(pa.null()): pa.list_(pa.string())}
    return pa.schema([field.with_type(unknown.get(field.type, field.type)) for field in schema], schema.metadata)
