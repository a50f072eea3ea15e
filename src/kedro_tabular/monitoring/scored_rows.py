"""Scored rows, which monitoring reads from the prediction log or from a Parquet file.

They are Arrow tables of one format: the contract's columns as `input.<column>`, the packaged model's predictions,
`reasons` as lists of text, and where they are known `outcome` (the name of the class, or a number), `event_time` and
`latency_ms`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..contract import (
    REASONS,
    SOURCE,
    Contract,
    ContractError,
    parse_outcomes,
    score_columns,
    to_datetimes,
    to_string_array,
)
from ..datasets import ReadOnlyDataset
from .profile import INPUT, OUTCOME
from .window import Window

_BATCH_ROWS = 100_000
_LATENCY = "latency_ms"


class WindowSummary(NamedTuple):
    """What is stored about a window."""

    rows: dict[str, int]  # by version of the model
    first: datetime | None  # of all rows, if the window has none
    last: datetime | None
    errors: dict[str, int]  # requests that were refused or failed, by code
    unmatched_outcomes: int  # outcomes in the log, if it has no predictions of the model
    last_before: datetime | None = None  # the last row before the window
    rows_before: int = 0  # in the time as long as the window that ends with this row


class RowSelection(NamedTuple):
    """The rows of a version in a window, or a random sample of them."""

    model: str
    version: str
    window: Window
    fraction: float


class ScoredRows(Protocol):
    """A store of scored rows."""

    def summarize(self, model: str, window: Window) -> WindowSummary:
        """Count the rows of a window by version."""

    def read(self, selection: RowSelection, contract: Contract, classes: list[str] | None) -> pa.Table:
        """The selected rows, with the columns of a contract and the predictions of its model."""


class ScoredFile:
    """Scored rows in a Parquet file; the arguments are those of `ScoredFileDataset`."""

    def __init__(self, path: Path, time: str | None, version: str, target: str) -> None:
        self._path, self._time, self._version, self._target = path, time, version, target
        self._file = pq.ParquetFile(path)
        self._columns = self._file.schema_arrow.names
        self._require([version, *([time] if time else [])])

    def summarize(self, model: str, window: Window) -> WindowSummary:
        """Count the rows of the window by version."""
        counts: Counter[str] = Counter()
        first = last = None
        earlier = [np.empty(0, "datetime64[us]")]
        for batch in self._batches([self._version], window.zone):
            versions = to_string_array(self._within(batch, window)[self._version]).drop_null().value_counts()
            counts.update({entry["values"]: entry["counts"] for entry in versions.to_pylist()})
            if self._time and batch.num_rows:
                times = batch[self._time].to_numpy().astype("datetime64[us]")
                earlier.append(times[times < np.datetime64(window.since, "us")])
                low, high = pc.min_max(batch[self._time]).as_py().values()
                if low is not None:
                    first, last = min(first or low, low), max(last or high, high)
        before = np.concatenate(earlier)
        if not len(before):
            return WindowSummary(dict(counts), first, last, {}, 0)
        last_before = before.max()
        n_before = int((before > last_before - np.timedelta64(window.until - window.since)).sum())
        return WindowSummary(dict(counts), first, last, {}, 0, last_before.item(), n_before)

    def read(self, selection: RowSelection, contract: Contract, classes: list[str] | None) -> pa.Table:
        """The selected rows.

        Raises:
            ContractError: columns are missing.
        """
        columns = [*contract.columns, *score_columns(classes), SOURCE, REASONS]
        self._require(columns)
        columns += [name for name in (self._target, _LATENCY) if name in self._columns]
        rng, tables = np.random.default_rng(0), []
        for batch in self._batches([self._version, *columns], selection.window.zone):
            rows = self._within(batch, selection.window)
            is_version = pc.equal(rows[self._version].cast(pa.string()), selection.version)
            is_sampled = pa.array(rng.random(len(rows)) < selection.fraction)
            tables.append(self._normalise(rows.filter(pc.and_(is_version, is_sampled)), contract, classes))
        return pa.concat_tables(tables, promote_options="permissive")

    def _require(self, columns: Iterable[str]) -> None:
        missing = [name for name in dict.fromkeys(columns) if name not in self._columns]
        if missing:
            raise ContractError(f"{self._path.name} lacks columns that monitoring needs: {', '.join(missing)}")

    def _normalise(self, rows: pa.Table, contract: Contract, classes: list[str] | None) -> pa.Table:
        columns = {INPUT + name: rows[name] for name in contract.columns}
        columns |= {name: rows[name] for name in (*score_columns(classes), SOURCE, REASONS)}
        if self._target in self._columns:
            columns[OUTCOME] = parse_outcomes(rows[self._target].combine_chunks(), lambda value: value, classes)
        if _LATENCY in self._columns:
            columns[_LATENCY] = rows[_LATENCY]
        if self._time:
            columns["event_time"] = rows[self._time].cast(pa.timestamp("us"), safe=False)
        return pa.table(columns)

    def _batches(self, columns: list[str], zone: tzinfo) -> Iterator[pa.Table]:
        names = dict.fromkeys([*columns, self._time] if self._time else columns)
        for batch in self._file.iter_batches(_BATCH_ROWS, columns=list(names)):
            yield pa.table({name: _to_local(batch[name], zone) for name in batch.schema.names})

    def _within(self, batch: pa.Table, window: Window) -> pa.Table:
        if not self._time:
            return batch
        times = batch[self._time].to_numpy().astype("datetime64[us]")
        inside = (times >= np.datetime64(window.since, "us")) & (times < np.datetime64(window.until, "us"))
        return batch.filter(pa.array(inside))


def _to_local(values: pa.Array, zone: tzinfo) -> pa.Array:
    """Date-times with a time zone as those without one, in `zone`; other values unchanged."""
    has_zone = pa.types.is_timestamp(values.type) and values.type.tz is not None
    return pa.array(to_datetimes(values.to_pandas(), None, zone)) if has_zone else values


class ScoredFileDataset(ReadOnlyDataset[ScoredFile]):
    """Scored rows in a Parquet file, for monitoring without a prediction log.

    Args:
        filepath: the file, with the contract's columns, the predictions and, if known, the target.
        target: the column of the outcome, which may be missing.
        time: the time column; None if there is none, so that all rows belong to every window.
        version: the column of the model version.
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
