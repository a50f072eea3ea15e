"""Rows that were scored, as monitoring reads them: out of the prediction log, or out of a Parquet file.

They come as Arrow tables of one form: the contract's columns under `input.<column>`, those of the answers as
the packaged model names them, `reasons` as lists of text, and where they are known `outcome` (the name of the
class, or a number), `event_time` and `latency_ms`.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..contract import Contract, ContractError, as_text, combine_chunks, parse_outcomes, score_columns
from ..datasets import ReadOnlyDataset
from .profile import INPUT, OUTCOME


class Window(NamedTuple):
    """A span of time: what rows are about by the contract's time column; without one, of the answers."""

    since: datetime
    until: datetime  # exclusive


class WindowContents(NamedTuple):
    """What there is of a window, by version of the model."""

    rows: dict[str, int]
    first: datetime | None  # of all rows, where the window has none
    last: datetime | None
    errors: dict[str, int]  # requests that were refused or failed, by code
    lost_outcomes: int  # how many there are where there is no prediction at all


class Part(NamedTuple):
    """Which rows are read: those of a version in a window, or a random share of them."""

    model: str
    version: str
    window: Window
    share: float


class ScoredRows(Protocol):
    """Where scored rows are read from."""

    def look(self, model: str, window: Window) -> WindowContents:
        """What there is."""

    def read(self, part: Part, contract: Contract, classes: list[str] | None) -> pa.Table:
        """The rows of a part, with the columns of a contract and the answers of its model."""


class ScoredFile:
    """Scored rows in a Parquet file: the contract's columns, the answers and, if known, the target.

    Args:
        path: the file.
        time: the column of the time that rows are about; None for a file without, whose rows all count.
        version: the column of the version that answered.
        target: the column of the outcome.
    """

    _ROWS = 100_000

    def __init__(self, path: Path, time: str | None, version: str, target: str) -> None:
        self._path, self._time, self._version, self._target = path, time, version, target
        self._file = pq.ParquetFile(path)
        self._columns = self._file.schema_arrow.names
        absent = [name for name in (version, *([time] if time else [])) if name not in self._columns]
        if absent:
            raise ContractError(f"{path.name} has no column {', '.join(absent)}, which monitoring needs")

    def look(self, model: str, window: Window) -> WindowContents:
        """What there is."""
        counts: dict[str, int] = {}
        first = last = None
        for batch in self._batches([self._version]):
            versions = as_text(self._within(batch, window)[self._version]).value_counts()
            for entry in versions.to_pylist():
                if entry["values"] is not None:
                    counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
            if self._time and batch.num_rows:
                low, high = pc.min_max(batch[self._time]).as_py().values()
                if low is not None:
                    first, last = min(first or low, low), max(last or high, high)
        return WindowContents(counts, first, last, {}, 0)

    def read(self, part: Part, contract: Contract, classes: list[str] | None) -> pa.Table:
        """The rows, or as many of them, drawn at random, as the part asks for.

        Raises:
            ContractError: for columns that are not there.
        """
        wanted = dict.fromkeys([*contract.columns, *_numbers(classes), "source", "reasons"])
        absent = [name for name in wanted if name not in self._columns]
        if absent:
            raise ContractError(f"{self._path.name} lacks its columns {', '.join(absent)}")
        optional = [name for name in (self._target, "latency_ms") if name in self._columns]
        rng, pieces = np.random.default_rng(0), []
        for batch in self._batches([self._version, *wanted, *optional]):
            rows = self._within(batch, part.window)
            chosen = pc.equal(rows[self._version].cast(pa.string()), part.version)
            drawn = pa.array(rng.random(len(rows)) < part.share)
            pieces.append(self._normalise(rows.filter(pc.and_(chosen, drawn)), contract, classes))
        return pa.concat_tables(pieces, promote_options="permissive")

    def _normalise(self, rows: pa.Table, contract: Contract, classes: list[str] | None) -> pa.Table:
        named = {INPUT + name: rows[name] for name in contract.columns}
        named |= {name: rows[name] for name in (*_numbers(classes), "source", "reasons")}
        if self._target in self._columns:
            named[OUTCOME] = parse_outcomes(combine_chunks(rows[self._target]), lambda value: value, classes)
        if "latency_ms" in self._columns:
            named["latency_ms"] = rows["latency_ms"]
        if self._time:
            named["event_time"] = rows[self._time].cast(pa.timestamp("us"), safe=False)
        return pa.table(named)

    def _batches(self, columns: list[str]) -> Iterator[pa.Table]:
        wanted = list(dict.fromkeys([*columns, *([self._time] if self._time else [])]))
        for batch in self._file.iter_batches(self._ROWS, columns=wanted):
            yield pa.Table.from_batches([batch])

    def _within(self, batch: pa.Table, window: Window) -> pa.Table:
        if not self._time:
            return batch
        times = batch[self._time].to_numpy().astype("datetime64[us]")
        inside = (times >= np.datetime64(window.since, "us")) & (times < np.datetime64(window.until, "us"))
        return batch.filter(pa.array(inside))


class ScoredFileDataset(ReadOnlyDataset[ScoredFile]):
    """Scored rows in a Parquet file, for monitoring where there is no prediction log.

    Args:
        filepath: the file.
        time: the column of the time that rows are about; None for a file without, whose rows all count.
        version: the column of the version that answered.
        target: the column of the outcome; it need not be there.
        metadata: anything; Kedro ignores it.
    """

    read_only = "scored rows are written by the inference"

    def __init__(
        self,
        filepath: str,
        target: str,
        time: str | None = None,
        version: str = "model_version",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path, self._time, self._version, self._target = Path(filepath), time, version, target
        self.metadata = metadata

    def load(self) -> ScoredFile:
        """Open the file."""
        return ScoredFile(self._path, self._time, self._version, self._target)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}


def _numbers(classes: list[str] | None) -> list[str]:
    return score_columns(classes)
