"""The contract as a pandera schema, for `validator:` in the catalog."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandas.api import types

from .contract import Column, ColumnType, Contract, ContractError

_TYPE_CHECKS: dict[ColumnType, Callable[[pd.Series], bool]] = {
    "category": lambda values: types.is_string_dtype(values) or isinstance(values.dtype, pd.CategoricalDtype),
    "number": lambda values: types.is_numeric_dtype(values) and not types.is_bool_dtype(values),
    "datetime": types.is_datetime64_dtype,
}
_MAX_EXAMPLES = 3


class ColumnsValidator:
    """Validates the columns of a table by their schemas, in the form of `params:table.columns`."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        parsed = {name: Column.read(f"columns.{name}", column) for name, column in columns.items()}
        self._schema = pa.DataFrameSchema({name: _pandera_column(column) for name, column in parsed.items()})

    def validate(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return `data` unchanged, or raise ContractError that lists all failures."""
        if data.empty:
            raise ContractError("the table has no rows")
        try:
            return self._schema.validate(data, lazy=True)
        except pa.errors.SchemaErrors as errors:
            raise ContractError(_format_failures(errors.failure_cases, data)) from None


class TableValidator(ColumnsValidator):
    """Validates a training table against the contract, `params:table`."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._schema = build_schema(Contract.from_parameters(table))


def build_schema(contract: Contract) -> pa.DataFrameSchema:
    """The pandera schema of a training table: the contract's columns, its target and its time column.

    Other columns are allowed; the model does not get them.
    """
    columns = {name: _pandera_column(column) for name, column in contract.columns.items()}
    if contract.time and contract.time not in columns:
        columns[contract.time] = _pandera_column(Column(type="datetime"))
    if contract.task == "regression":
        columns[contract.target] = _pandera_column(Column(type="number"))
    else:
        varies = pa.Check(lambda values: values.nunique() > 1, error="has only one value: there is nothing to learn")
        columns[contract.target] = pa.Column(checks=[varies])
    return pa.DataFrameSchema(columns)


def _pandera_column(column: Column) -> pa.Column:
    is_type, low, high = _TYPE_CHECKS[column.type], column.min, column.max

    def value_check(error: str, is_valid: Callable[[pd.Series], pd.Series]) -> pa.Check:
        # on a column of a wrong type, `is_valid` may raise an exception
        return pa.Check(lambda values: is_valid(values) if is_type(values) else True, error=error)

    checks = [pa.Check(is_type, error=f"is not of type {column.type}")]
    if column.type == "number":
        checks.append(value_check("is infinite", lambda values: ~np.isinf(values)))
    if low is not None:
        checks.append(value_check(f"is below {low:g}", lambda values: values >= low))
    if high is not None:
        checks.append(value_check(f"is above {high:g}", lambda values: values <= high))
    return pa.Column(checks=checks, nullable=column.nullable)


def _format_failures(failures: pd.DataFrame, data: pd.DataFrame) -> str:
    lines = []
    for (column, check), cases in failures.groupby(["column", "check"], dropna=False, sort=False):
        if check == "column_in_dataframe":
            continue
        if check == "not_nullable":
            lines.append(f"{column}: {len(cases)} of {len(data)} values are missing")
        elif cases["index"].isna().all():  # a check of the whole column
            examples = data[column].dropna().head(_MAX_EXAMPLES).tolist()
            lines.append(f"{column} {check}: its dtype is {data[column].dtype}, for example {examples}")
        else:
            examples = cases["failure_case"].head(_MAX_EXAMPLES).tolist()
            lines.append(f"{column} {check} in {len(cases)} of {len(data)} rows, for example {examples}")
    missing = failures.loc[failures["check"] == "column_in_dataframe", "failure_case"].tolist()
    if missing:
        lines.insert(0, f"missing columns: {', '.join(missing)}; the table has {', '.join(data.columns)}")
    return "\n".join(f"  - {line}" for line in lines)
