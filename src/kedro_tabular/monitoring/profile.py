"""The reference profile: what rows and answers looked like when the model was made, as counts.

It is stored with each version as JSON, so that monitoring needs neither training nor calibration data. Counts
of several windows add up to those of the whole.
"""

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..contract import Contract, as_numbers, as_text, combine_chunks, score_columns
from ..modelling import DatetimeParts
from ..parameters import Section

Group = Literal["input", "output", "outcome"]
INPUT = "input."  # before the names of the contract's columns, which may be named like an answer
OUTCOME, SOURCE, CONFIDENCE, PREDICTION = "outcome", "source", "confidence", "prediction"
_MISSING = 0  # the first bin of every column


class MonitoredColumn(Section):
    """One column of rows or answers, cut into bins.

    The first bin holds missing values. Of numbers the next one holds what is below the reference, then come
    bins between `edges`, the last one holds what is above. Of categories there is a bin for each of `values`,
    one for other categories that training has seen, and the last one for those it has not.
    """

    name: str
    group: Group
    column: str  # of the rows
    part: str | None = None  # of a date-time
    edges: list[float] | None = None
    values: list[str] = Field(default_factory=list)
    others: list[str] = Field(default_factory=list)
    discrete: bool = False  # numbers of few values: a bin between edges holds but one
    mean: float | None = None
    deviation: float | None = None

    @property
    def n_bins(self) -> int:
        """How many bins there are."""
        return len(self.values) + 3 if self.edges is None else len(self.edges) + 2

    @property
    def has_categories(self) -> bool:
        """Whether the bins are categories."""
        return self.edges is None

    @cached_property
    def labels(self) -> list[str]:
        """What each bin is called."""
        if self.edges is None:
            return ["missing", *self.values, "other", "new"]
        between = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(self.edges)]
        return ["missing", f"below {self.edges[0]:g}", *between, f"above {self.edges[-1]:g}"]

    def codes(self, rows: pa.Table) -> np.ndarray:
        """The bin of each row, shape (n_rows,)."""
        if self.edges is not None:
            numbers = self.numbers(rows)
            codes = np.searchsorted(self.edges[1:-1], numbers, side="right") + 2
            codes[numbers < self.edges[0]] = 1
            codes[numbers > self.edges[-1]] = len(self.edges) + 1
            codes[np.isnan(numbers)] = _MISSING
            return codes
        values = as_text(rows[self.column]).dictionary_encode()
        bins = [self._bins.get(value, self.n_bins - 1) for value in values.dictionary.to_pylist()]
        codes = pc.fill_null(values.indices, -1).to_numpy(zero_copy_only=False)
        return np.array([*bins, _MISSING])[codes]

    def numbers(self, rows: pa.Table) -> np.ndarray:
        """The values of a column of numbers, or the part of its date-times; NaN where they are missing."""
        values = rows[self.column]
        if self.part is None:
            return as_numbers(values)
        times = values.to_numpy().astype("datetime64[us]")
        return DatetimeParts([self.part]).transform_columns([times])[:, 0]

    def count(self, rows: pa.Table) -> np.ndarray:
        """How many rows are in each bin, shape (n_bins,)."""
        counts = np.bincount(self.codes(rows), minlength=self.n_bins)
        if self.group == "outcome":  # what is not known yet says nothing
            counts[_MISSING] = 0
        return counts

    @cached_property
    def _bins(self) -> dict[str, int]:
        seen = dict.fromkeys(self.others, len(self.values) + 1)
        return seen | {value: position + 1 for position, value in enumerate(self.values)}


class SliceQuality(Section):
    """The metric of the reference rows, or of those with one value of a column."""

    column: str | None
    value: str | None
    rows: int
    metric: float
    error: float  # standard error


class Calibration(Section):
    """How often rows are of a class, by the probability that the model gives it: points of a rising line."""

    probability: list[float]
    frequency: list[float]


class Profile(Section):
    """All that monitoring compares with."""

    table: dict[str, Any]  # the contract
    classes: list[str] | None
    rows: int
    watched: list[MonitoredColumn]
    reasons: dict[str, int]  # how many rows have each
    # By column the counts of each block of rows, in the order of time: a day, or more where there are many.
    blocks: dict[str, list[list[int]]]
    sample: list[list[int]]  # bins of some rows, in the order of the watched inputs
    metric: str
    calibration_bins: int
    quality: list[SliceQuality]  # the first is that of all rows
    calibration: list[Calibration] | None  # by class
    estimated: float | None  # the metric of the reference rows, estimated as that of others is

    @cached_property
    def contract(self) -> Contract:
        """The contract of the version."""
        return Contract.from_parameters(self.table)

    def counts(self, name: str) -> np.ndarray:
        """The counts of a watched column by block, shape (n_blocks, n_bins)."""
        return np.array(self.blocks[name], dtype=np.int64)

    def of_group(self, *groups: Group) -> Iterator[MonitoredColumn]:
        """The watched columns of some groups."""
        return (watched for watched in self.watched if watched.group in groups)


def bin_rows(watched: list[MonitoredColumn], rows: pa.Table) -> np.ndarray:
    """The bins of several columns, shape (n_rows, n_columns)."""
    return np.stack([one.codes(rows) for one in watched], axis=1)


def add_derived_columns(rows: pa.Table, classes: list[str] | None) -> pa.Table:
    """Add what is watched of a classification's answers beside the probabilities."""
    if classes is None:
        return rows
    scores = scores_of(rows, classes)
    predicted = pa.array(np.array(classes, dtype=object)[scores.argmax(axis=1)], pa.string())
    if PREDICTION in rows.column_names:
        rows = rows.drop_columns([PREDICTION])
    return rows.append_column(CONFIDENCE, pa.array(scores.max(axis=1))).append_column(PREDICTION, predicted)


def scores_of(rows: pa.Table, classes: list[str] | None) -> np.ndarray:
    """The probabilities, shape (n_rows, n_classes); of a regression the predictions, (n_rows,)."""
    if classes is None:
        return as_numbers(rows[PREDICTION])
    return np.stack([as_numbers(rows[name]) for name in score_columns(classes)], axis=1)


def count_reasons(rows: pa.Table) -> dict[str, int]:
    """How many rows have each reason, by `code:column` without the value."""
    told = pc.list_flatten(combine_chunks(rows["reasons"]))
    names = pc.replace_substring_regex(as_text(pa.chunked_array([told])), "(?s)=.*", "")
    names = pc.replace_substring_regex(names, "(?s)^(far_from_training|uncertain|failed):.*", r"\1")
    counted = names.value_counts().to_pylist()
    return {entry["values"]: entry["counts"] for entry in counted}
