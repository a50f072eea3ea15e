"""Split a table into parts for training, calibration, testing and simulated production traffic."""

import datetime as dt
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from ..parameters import ParameterError, Section

logger = logging.getLogger(__name__)


class Parts(NamedTuple):
    """The disjoint parts of the table; `live` simulates production traffic."""

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    live: pd.DataFrame


class LastDays(Section):
    """The last day of each part; later rows simulate production traffic."""

    train: dt.date
    calibration: dt.date
    test: dt.date

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.train < self.calibration < self.test:
            raise ValueError("train, calibration and test must end in this order")
        return self


class Shares(Section):
    """The share of the rows in each part; the remaining rows simulate production traffic."""

    train: float = Field(gt=0, lt=1)
    calibration: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        if self.train + self.calibration + self.test > 1 + 1e-9:
            raise ValueError("train, calibration and test add up to more than 1")
        return self


def split_by_time(table: pd.DataFrame, time: str, split: Mapping[str, Any]) -> Parts:
    """Split by the date-time column `time`; `split` has the values of `LastDays`.

    Raises ParameterError if the split is invalid, or a part other than `live` gets no rows.
    """
    last = LastDays.read("split", split)
    ends = [np.datetime64(day + dt.timedelta(days=1), "us") for day in (last.train, last.calibration, last.test)]
    return _take_parts(table, np.searchsorted(np.asarray(ends), table[time].to_numpy("datetime64[us]"), side="right"))


def split_at_random(table: pd.DataFrame, stratify: pd.Series | None, split: Mapping[str, Any], seed: int) -> Parts:
    """Split at random, with the same shares of each stratum; `split` has the values of `Shares`.

    `stratify` is the stratum of each row, shape (n_rows,). Raises ParameterError as `split_by_time` does.
    """
    shares = Shares.read("split", split)
    strata = pd.Series(0, index=table.index) if stratify is None else stratify
    random = pd.Series(np.random.default_rng(seed).random(len(strata)), index=strata.index)
    quantile = (random.groupby(strata).rank(method="first") - 0.5) / strata.groupby(strata).transform("size")
    ends = np.cumsum([shares.train, shares.calibration, shares.test])
    return _take_parts(table, np.searchsorted(ends, quantile.to_numpy(), side="right"))


def _take_parts(table: pd.DataFrame, part_indices: np.ndarray) -> Parts:
    """The rows of each part, given the index of each row's part, shape (n_rows,)."""
    parts = Parts(*(table[part_indices == i].reset_index(drop=True) for i in range(len(Parts._fields))))
    counts = {name: len(part) for name, part in parts._asdict().items()}
    empty = [f"split.{name}" for name, count in counts.items() if count == 0 and name != "live"]
    if empty:
        raise ParameterError(f"{', '.join(empty)} in conf/ leaves no rows: the parts have {counts} rows")
    logger.info("split: %s", ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    return parts
