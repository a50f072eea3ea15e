"""Split a table into the parts that training, calibration, testing and production traffic see."""

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
    """The table in four parts without a row in common; `live` simulates production traffic."""

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    live: pd.DataFrame


class LastDays(Section):
    """The last day of each part, in order; later rows are production traffic."""

    train: dt.date
    calibration: dt.date
    test: dt.date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.train < self.calibration < self.test:
            raise ValueError("train, calibration and test must end in this order")
        return self


class Shares(Section):
    """The share of the rows that each part takes; the remaining rows are production traffic."""

    train: float = Field(gt=0, lt=1)
    calibration: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        if self.train + self.calibration + self.test > 1 + 1e-9:
            raise ValueError("train, calibration and test add up to more than 1")
        return self


def split_by_time(table: pd.DataFrame, time: str, split: Mapping[str, Any]) -> Parts:
    """Each part ends with its last day.

    Args:
        table: one row an example.
        time: the date-time column that orders the rows.
        split: the values of `LastDays`.

    Raises:
        ParameterError: the split can't be read, or leaves a part other than `live` without rows.
    """
    last = LastDays.read("split", split)
    days = (last.train, last.calibration, last.test)
    ends = [np.datetime64(day + dt.timedelta(days=1), "us") for day in days]
    numbers = np.searchsorted(np.asarray(ends), table[time].to_numpy("datetime64[us]"), side="right")
    return _take_parts(table, numbers)


def split_at_random(table: pd.DataFrame, stratify: pd.Series | None, split: Mapping[str, Any], seed: int) -> Parts:
    """Each part gets its share of the rows, and of each stratum.

    Args:
        table: one row an example.
        stratify: the stratum of each row, shape (n_rows,); None for one of all.
        split: the values of `Shares`.
        seed: of the draw.

    Raises:
        ParameterError: the split can't be read, or leaves a part other than `live` without rows.
    """
    shares = Shares.read("split", split)
    strata = pd.Series(0, index=table.index) if stratify is None else stratify
    shuffled = pd.Series(np.random.default_rng(seed).random(len(strata)), index=strata.index)
    place = (shuffled.groupby(strata).rank(method="first") - 0.5) / strata.groupby(strata).transform("size")
    ends = np.cumsum([shares.train, shares.calibration, shares.test])
    return _take_parts(table, np.searchsorted(ends, place.to_numpy(), side="right"))


def _take_parts(table: pd.DataFrame, numbers: np.ndarray) -> Parts:
    """The rows of each part, given the number of each row's part, shape (n_rows,)."""
    parts = Parts(*(table[numbers == number].reset_index(drop=True) for number in range(len(Parts._fields))))
    counts = {name: len(part) for name, part in parts._asdict().items()}
    empty = [f"split.{name}" for name, count in counts.items() if count == 0 and name != "live"]
    if empty:
        raise ParameterError(f"{', '.join(empty)} in conf/ leaves no rows: the parts would have {counts}")
    logger.info("split: %s", ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    return parts
