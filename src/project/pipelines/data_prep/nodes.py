"""Split the table into the parts that training, calibration, testing and monitoring see."""

import datetime as dt
import logging
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from ...contract import Contract
from ...parameters import ParameterError, Section

logger = logging.getLogger(__name__)


class Parts(NamedTuple):
    """The table in four parts without a row in common."""

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    live: pd.DataFrame


class LastDays(Section):
    """The last day of each part, in order; later rows are live traffic."""

    train: dt.date
    calibration: dt.date
    test: dt.date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.train < self.calibration < self.test:
            raise ValueError("train, calibration and test must end in this order")
        return self


class Shares(Section):
    """The share of the rows that each part takes; the remaining rows are live traffic."""

    train: float = Field(gt=0, lt=1)
    calibration: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        if self.train + self.calibration + self.test > 1 + 1e-9:
            raise ValueError("train, calibration and test add up to more than 1")
        return self


def split_table(table: pd.DataFrame, contract: dict[str, Any], split: dict[str, Any], seed: int) -> Parts:
    """Split by time where the contract names a time column, else at random, stratified by class.

    Numbers come out as float64: MLflow does not take an int64 where the model's signature has a double.

    Raises:
        ParameterError: the split can't be read, or leaves a part (other than live) without rows.
    """
    read = Contract.from_parameters(contract)
    table = table.astype(dict.fromkeys(read.of_type("number"), "float64"))
    if read.time:
        part_of_row = _parts_by_time(table[read.time], LastDays.read("split", split))
    else:
        strata = table[read.target] if read.task == "classification" else pd.Series(0, index=table.index)
        part_of_row = _parts_by_share(strata, Shares.read("split", split), seed)
    parts = Parts(
        *(table[part_of_row == number].reset_index(drop=True) for number in range(len(Parts._fields)))
    )
    counts = {name: len(part) for name, part in parts._asdict().items()}
    empty = [f"split.{name}" for name, count in counts.items() if count == 0 and name != "live"]
    if empty:
        raise ParameterError(f"{', '.join(empty)} in conf/ leaves no rows: the parts would have {counts}")
    logger.info("split: %s", ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    return parts


def _parts_by_time(time: pd.Series, last: LastDays) -> np.ndarray:
    ends = [
        np.datetime64(day + dt.timedelta(days=1), "us") for day in (last.train, last.calibration, last.test)
    ]
    return np.searchsorted(np.asarray(ends), time.to_numpy("datetime64[us]"), side="right")


def _parts_by_share(strata: pd.Series, shares: Shares, seed: int) -> np.ndarray:
    """Deal the rows of each stratum out in random order, so that every part gets its share of each."""
    shuffled = pd.Series(np.random.default_rng(seed).random(len(strata)), index=strata.index)
    place = (shuffled.groupby(strata).rank(method="first") - 0.5) / strata.groupby(strata).transform("size")
    ends = np.cumsum([shares.train, shares.calibration, shares.test])
    return np.searchsorted(ends, place.to_numpy(), side="right")
