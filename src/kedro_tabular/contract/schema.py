"""The contract as a pandera schema: the `validator:` of the catalog's `table` entry."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandas.api import types

from .contract import Column, ColumnType, Contract, ContractError

_IS_TYPE: dict[ColumnType, Callable[[pd.Series], bool]] = {
    "category": lambda values: types.is_string_dtype(values) or isinstance(values.dtype, pd.CategoricalDtype),
    "number": lambda values: types.is_numeric_dtype(values) and not types.is_bool_dtype(values),
    "datetime": types.is_datetime64_dtype,
}
_EXAMPLES = 3


class ColumnsValidator:
    """Checks the columns of a whole table (Kedro's protocol for `validator:`).

    Args:
        columns: what each column must look like, by name, as under `params:table.columns`.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        read = {name: Column.read(f"columns.{name}", column) for name, column in columns.items()}
        self._schema = pa.DataFrameSchema({name: _feature(column) for name, column in read.items()})

    def validate(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return `data` as it is, or raise ContractError with all that is wrong with it."""
        if data.empty:
            raise ContractError("the table has no rows")
        try:
            return self._schema.validate(data, lazy=True)
        except pa.errors.SchemaErrors as errors:
            raise ContractError(_explain(errors.failure_cases, data)) from None


class TableValidator(ColumnsValidator):
    """Checks a training table against the contract.

    Args:
        table: the values of `params:table`.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._schema = build_schema(Contract.from_parameters(table))


def build_schema(contract: Contract) -> pa.DataFrameSchema:
    """The pandera schema of a training table: the contract's columns, its target and its time column.

    Columns beyond these are allowed; they never reach the model.
    """
    columns = {name: _feature(column) for name, column in contract.columns.items()}
    if contract.time and contract.time not in columns:
        columns[contract.time] = _feature(Column(type="datetime"))
    if contract.task == "regression":
        columns[contract.target] = _feature(Column(type="number"))
    else:
        several = pa.Check(lambda values: values.nunique() > 1, error="has one value only, nothing to learn")
        columns[contract.target] = pa.Column(checks=[several])
    return pa.DataFrameSchema(columns)


def _feature(column: Column) -> pa.Column:
    is_type = _IS_TYPE[column.type]
    checks = [pa.Check(is_type, error=f"is not of type {column.type}")]
    # A check on values is meaningless, and fails with an exception of its own, on a column of a wrong type.
    if column.type == "number":
        checks.append(_values("is infinite", is_type, lambda values: ~np.isinf(values)))
    if column.min is not None:
        low = column.min
        checks.append(_values(f"is below {low:g}", is_type, lambda values: values >= low))
    if column.max is not None:
        high = column.max
        checks.append(_values(f"is above {high:g}", is_type, lambda values: values <= high))
    return pa.Column(checks=checks, nullable=column.nullable)


def _values(error: str, is_type: Callable[[pd.Series], bool], is_good: Callable[[pd.Series], pd.Series]) -> pa.Check:
    return pa.Check(lambda values: is_good(values) if is_type(values) else True, error=error)


def _explain(failures: pd.DataFrame, data: pd.DataFrame) -> str:
    lines = []
    for (column, check), cases in failures.groupby(["column", "check"], dropna=False, sort=False):
        if check == "column_in_dataframe":
            continue
        if check == "not_nullable":
            lines.append(f"{column}: {len(cases)} of {len(data)} rows have no value")
        elif cases["index"].isna().all():  # a verdict on the column as a whole
            examples = data[column].dropna().head(_EXAMPLES).tolist()
            lines.append(f"{column} {check}: it holds {data[column].dtype}, for example {examples}")
        else:
            examples = cases["failure_case"].head(_EXAMPLES).tolist()
            lines.append(f"{column} {check} in {len(cases)} of {len(data)} rows, for example {examples}")
    missing = failures.loc[failures["check"] == "column_in_dataframe", "failure_case"].tolist()
    if missing:
        lines.insert(0, f"missing columns: {', '.join(missing)}; the table has {', '.join(data.columns)}")
    return "\n".join(f"  - {line}" for line in lines)
