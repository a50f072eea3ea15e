"""Which test rows a comparison may use, and which of them are not independent."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ..contract import Column, Contract, hash_rows, row_columns
from ..evaluation import group_columns, hash_groups
from ..parameters import ParameterError
from ..registry import Champion
from .settings import Gate

_IS_TYPE = {"number": types.is_numeric_dtype, "datetime": types.is_datetime64_dtype}


class UnknownRowsError(RuntimeError):
    """It is not known which rows a model was trained on."""


def find_new_rows(champion: Champion, test_table: pd.DataFrame, contract: Contract) -> np.ndarray:
    """The mask of the rows that the champion was neither trained nor calibrated on, shape (n_rows,).

    Raises UnknownRowsError if that can't be told.
    """
    if champion.seen_rows is None:
        return _rows_after_calibration(champion, test_table, contract)
    own = Contract.from_parameters(champion.contract)
    for name in row_columns(own):
        column = own.columns.get(name) or Column(type="datetime" if name == own.time else "category")
        if name not in test_table or not _IS_TYPE.get(column.type, lambda dtype: True)(test_table[name].dtype):
            raise UnknownRowsError(f"its training rows have a column {name!r} that the table does not have any more")
    return ~np.isin(hash_rows(test_table, own, row_columns(own)), champion.seen_rows)


def _rows_after_calibration(champion: Champion, test_table: pd.DataFrame, contract: Contract) -> np.ndarray:
    """The rows after the last calibration day of a version that does not record its rows, shape (n_rows,)."""
    last_day = champion.parameters.get("split.calibration", "")
    try:
        end = dt.date.fromisoformat(last_day) + dt.timedelta(days=1)
    except ValueError:
        raise UnknownRowsError("it does not record which rows it was trained on") from None
    if contract.time is None or champion.parameters.get("table.time") != contract.time:
        raise UnknownRowsError("its rows were split by another column, and it does not record them")
    return (test_table[contract.time] >= pd.Timestamp(end)).to_numpy()


def find_clusters(
    test_table: pd.DataFrame, contract: Contract, gate: Gate, split: Mapping[str, Any]
) -> np.ndarray | None:
    """The cluster of each row, numbered from 0, shape (n_rows,); None if the rows are independent.

    Raises ParameterError if the table has no days or no groups.
    """
    if gate.resample == "rows":
        return None
    if gate.resample == "days":
        if contract.time is None:
            raise ParameterError("gate.resample in conf/: days needs table.time; without it use rows or group")
        return _number(test_table[contract.time].dt.normalize().to_numpy())
    group = group_columns(split.get("group"))
    if not group:
        raise ParameterError("gate.resample in conf/: group needs split.group")
    return _number(hash_groups(test_table, contract, group))


def _number(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1]
