"""The reference profile: the distribution of the calibration rows and of the model's predictions for them.

It is stored as counts of bins in profile.json of each version, so monitoring needs no training or calibration data.
"""

import itertools
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..contract import PREDICTION, REASONS, Contract, score_columns, to_float_array, to_plain_array, to_string_array
from ..modelling import datetime_part, decide
from ..parameters import Section

Group = Literal["input", "output", "outcome"]
INPUT = "input."  # prefix of the contract's columns, which may have the names of output columns
OUTCOME, CONFIDENCE = "outcome", "confidence"
_MISSING = 0  # the first bin of every column


class MonitoredColumn(Section):
    """One column of inputs, outputs or outcomes with its bins.

    The first bin is for missing values. For numbers it is followed by a bin below the reference, the bins between
    `edges`, and a bin above the reference. For categories it is followed by a bin for each of `values`, one for the
    other categories of the training rows, and one for categories that are not in the training rows.
    """

    name: str
    group: Group
    column: str  # of the scored rows
    part: str | None = None  # of a date-time
    edges: list[float] | None = None
    values: list[str] = Field(default_factory=list)
    others: list[str] = Field(default_factory=list)
    discrete: bool = False  # each bin between edges holds a single number
    mean: float | None = None
    deviation: float | None = None

    @property
    def n_bins(self) -> int:
        """The number of bins."""
        return len(self.values) + 3 if self.edges is None else len(self.edges) + 2

    @property
    def labels(self) -> list[str]:
        """The names of the bins."""
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
        bins = dict.fromkeys(self.others, len(self.values) + 1) | {value: k for k, value in enumerate(self.values, 1)}
        values = to_string_array(rows[self.column]).dictionary_encode()
        of_dictionary = [bins.get(value, self.n_bins - 1) for value in values.dictionary.to_pylist()]
        return np.array([*of_dictionary, _MISSING])[pc.fill_null(values.indices, -1).to_numpy(zero_copy_only=False)]

    def numbers(self, rows: pa.Table) -> np.ndarray:
        """The numbers, or the part of the date-times; NaN where they are missing."""
        values = rows[self.column]
        if self.part is None:
            return to_float_array(values)
        times = values.to_numpy().astype("datetime64[us]")
        return datetime_part(times, self.part)

    def count(self, rows: pa.Table) -> np.ndarray:
        """The number of rows in each bin, shape (n_bins,)."""
        counts = np.bincount(self.codes(rows), minlength=self.n_bins)
        if self.group == "outcome":  # rows without an outcome so far
            counts[_MISSING] = 0
        return counts

    def count_by_block(self, rows: pa.Table, blocks: np.ndarray) -> np.ndarray:
        """The number of rows in each bin by block, shape (n_blocks, n_bins), from the block of each row."""
        n_blocks = int(blocks.max()) + 1
        cells = blocks * self.n_bins + self.codes(rows)
        return np.bincount(cells, minlength=n_blocks * self.n_bins).reshape(n_blocks, -1)


class SliceQuality(Section):
    """The metric on the reference rows, or on those with one value of a column."""

    column: str | None
    value: str | None
    rows: int
    metric: float
    error: float  # standard error


class Calibration(Section):
    """The observed frequency of a class by its predicted probability: points of an increasing line."""

    probability: list[float]
    frequency: list[float]


class Profile(Section):
    """The reference of a version. The fields are the keys of profile.json."""

    table: dict[str, Any]  # the contract
    classes: list[str] | None
    rows: int
    watched: list[MonitoredColumn]
    reasons: dict[str, int]  # the number of rows with each reason
    # By column the counts of each block of rows in the order of time: a day, or several days if there are many.
    blocks: dict[str, list[list[int]]]
    days_per_block: float | None = None  # not in profiles of earlier releases
    sample: list[list[int]]  # the bins of a sample of rows, in the order of `inputs`
    metric: str
    calibration_bins: int
    quality: list[SliceQuality]  # the first is for all rows
    calibration: list[Calibration] | None  # by class
    estimated: float | None  # the metric of the reference rows as `estimate_quality` estimates it
    threshold: float | None = None  # of the decision

    @cached_property
    def contract(self) -> Contract:
        """The contract of the version."""
        return Contract.from_parameters(self.table)

    @property
    def inputs(self) -> list[MonitoredColumn]:
        """The monitored columns of the contract."""
        return [column for column in self.watched if column.group == "input"]

    def counts(self, name: str) -> np.ndarray:
        """The counts of a monitored column by block, shape (n_blocks, n_bins)."""
        return np.array(self.blocks[name], dtype=np.int64)


Profiles = Callable[[str], Profile | None]  # by version; None for one without a profile


def bin_rows(columns: list[MonitoredColumn], rows: pa.Table) -> np.ndarray:
    """The bins of several columns, shape (n_rows, n_columns)."""
    return np.stack([column.codes(rows) for column in columns], axis=1)


def add_derived_columns(rows: pa.Table, classes: list[str] | None, threshold: float | None) -> pa.Table:
    """Add the predicted class and the confidence of a classification, which follow from the probabilities.

    `threshold` is that of the model's decision.
    """
    if classes is None:
        return rows
    scores = get_scores(rows, classes)
    predicted = pa.array(np.array(classes, dtype=object)[decide(scores, threshold)], pa.string())
    if PREDICTION in rows.column_names:
        rows = rows.drop_columns([PREDICTION])
    return rows.append_column(CONFIDENCE, pa.array(scores.max(axis=1))).append_column(PREDICTION, predicted)


def get_scores(rows: pa.Table, classes: list[str] | None) -> np.ndarray:
    """The probabilities, shape (n_rows, n_classes); for a regression the predictions, (n_rows,)."""
    if classes is None:
        return to_float_array(rows[PREDICTION])
    return np.stack([to_float_array(rows[name]) for name in score_columns(classes)], axis=1)


def count_reasons(rows: pa.Table) -> dict[str, int]:
    """The number of rows with each reason, by `code:column` without the value."""
    reasons = pc.list_flatten(to_plain_array(rows[REASONS]))
    names = pc.replace_substring_regex(to_string_array(pa.chunked_array([reasons])), "(?s)=.*", "")
    names = pc.replace_substring_regex(names, "(?s)^(far_from_training|uncertain|failed):.*", r"\1")
    return {entry["values"]: entry["counts"] for entry in names.value_counts().to_pylist()}
