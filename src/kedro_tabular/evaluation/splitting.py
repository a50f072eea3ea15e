"""Split a table into parts for training, calibration, testing and simulated production traffic.

A row's part depends on the row and the settings alone, so that it stays the same in every later training.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator

from ..contract import Contract, hash_rows, row_columns
from ..parameters import ParameterError, Section

_HASHES = 2.0**64  # the number of hashes


def group_columns(group: Any) -> Any:
    """The value of `split.group` as a list: a single name stands for itself, none for no columns."""
    return [] if group is None else [group] if isinstance(group, str) else group


class Parts(NamedTuple):
    """The disjoint parts of the table; `live` simulates production traffic."""

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    live: pd.DataFrame

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of each part."""
        return {name: len(part) for name, part in self._asdict().items()}


class _Split(Section):
    """The columns whose rows of equal values stay in one part; none if every row stands for itself."""

    group: list[str] = Field(default_factory=list)

    @field_validator("group", mode="before")
    @classmethod
    def _to_list(cls, value: Any) -> Any:
        return group_columns(value)


class LastDays(_Split):
    """The last day of each part; later rows simulate production traffic."""

    train: dt.date
    calibration: dt.date
    test: dt.date

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.train < self.calibration < self.test:
            raise ValueError("train, calibration and test must end in this order")
        return self


class Shares(_Split):
    """The share of the rows in each part; the remaining rows simulate production traffic."""

    train: float = Field(gt=0, lt=1)
    calibration: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        if self.train + self.calibration + self.test > 1 + 1e-9:
            raise ValueError("train, calibration and test add up to more than 1")
        return self


def split_by_time(table: pd.DataFrame, contract: Contract, split: Mapping[str, Any]) -> Parts:
    """Split by the contract's time column; `split` has the values of `LastDays`.

    A group goes as a whole to the part of its first row. Raises ParameterError if the split is invalid, or a part other
    than `live` gets no rows.
    """
    last = LastDays.read("split", split)
    ends = [np.datetime64(day + dt.timedelta(days=1), "us") for day in (last.train, last.calibration, last.test)]
    times = table[contract.time]
    if last.group:
        times = times.groupby(hash_groups(table, contract, last.group)).transform("min")
    return _take_parts(table, np.searchsorted(np.asarray(ends), times.to_numpy("datetime64[us]"), side="right"))


def split_by_hash(table: pd.DataFrame, contract: Contract, split: Mapping[str, Any], seed: int) -> Parts:
    """Split at random, by a hash of each row's group, or else of its features; `split` has the values of `Shares`.

    Rows with equal features are in one part. Raises ParameterError as `split_by_time` does.
    """
    shares = Shares.read("split", split)
    ends = np.cumsum([shares.train, shares.calibration, shares.test])
    hashes = hash_groups(table, contract, shares.group, seed)
    return _take_parts(table, np.searchsorted(ends.round(9), hashes / _HASHES, side="right"))


def hash_groups(table: pd.DataFrame, contract: Contract, group: list[str], seed: int = 0) -> np.ndarray:
    """The hash of each row's group as uint64, shape (n_rows,); of a row without a group that of its features.

    The target does not count: where few rows differ in their features, rows of one outcome would be in one part, and
    those of the other outcome in another one.

    Raises ParameterError if the table lacks a column of the group.
    """
    unknown = [name for name in group if name not in table.columns]
    if unknown:
        raise ParameterError(f"split.group in conf/: the table has no column {', '.join(unknown)}")
    has_group = table[group].notna().any(axis=1).to_numpy()
    if has_group.all():
        return hash_rows(table, contract, group, seed)
    features = [name for name in row_columns(contract) if name != contract.target]
    hashes = hash_rows(table, contract, features, seed)
    return np.where(has_group, hash_rows(table, contract, group, seed), hashes) if has_group.any() else hashes


def hash_seen_rows(
    train_table: pd.DataFrame, calibration_table: pd.DataFrame, contract: dict[str, Any]
) -> pd.DataFrame:
    """The hashes of the rows that a model is trained or calibrated on: column `hash`, uint64, sorted, distinct.

    A later comparison leaves these rows out. `contract` is `params:table`.
    """
    schema = Contract.from_parameters(contract)
    hashes = [hash_rows(table, schema, row_columns(schema)) for table in (train_table, calibration_table)]
    return pd.DataFrame({"hash": np.unique(np.concatenate(hashes))})


def _take_parts(table: pd.DataFrame, part_indices: np.ndarray) -> Parts:
    """The rows of each part, given the index of each row's part, shape (n_rows,)."""
    parts = Parts(*(table[part_indices == i].reset_index(drop=True) for i in range(len(Parts._fields))))
    empty = [f"split.{name}" for name, count in parts.rows.items() if count == 0 and name != "live"]
    if empty:
        raise ParameterError(f"{', '.join(empty)} in conf/ leaves no rows: the parts have {parts.rows} rows")
    return parts
