"""Hashes of rows by their content, which stay the same whatever other rows are in the table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.api import types

from .contract import Contract


def row_columns(contract: Contract) -> list[str]:
    """The columns that make up a row of a training table: features, time and target."""
    names = [*contract.features, *([contract.time] if contract.time else []), contract.target]
    return list(dict.fromkeys(names))


def hash_rows(table: pd.DataFrame, contract: Contract, columns: Sequence[str], seed: int = 0) -> np.ndarray:
    """A hash of the values of each row in these columns as uint64, shape (n_rows,); missing values count as equal.

    It depends on nothing but the values and the seed: not on the dtype that a column happens to have in this table, nor
    on the order of the rows. Numbers in columns outside the contract equal text that is written alike.
    """
    numbers = {name for name, column in contract.columns.items() if column.type == "number"}
    if contract.task == "regression":
        numbers.add(contract.target)
    comparable = {name: _to_comparable(table[name], name in numbers) for name in columns}
    frame = pd.DataFrame(comparable | {"seed": pd.Series(seed, index=table.index)})
    hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return pd.util.hash_array(hashes)  # once more: the combination of several columns is not uniform


def _to_comparable(values: pd.Series, is_number: bool) -> pd.Series:
    if is_number:
        return values.astype("float64") + 0.0  # -0.0 becomes 0.0
    if types.is_datetime64_any_dtype(values.dtype):
        return values.astype("datetime64[us]").astype("int64")
    if types.is_float_dtype(values.dtype) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")  # whole numbers beside missing values
    return values.astype("str").astype(object).where(values.notna(), "")
