"""The table contract: what one row must look like, read from `params:table`.

It is the only place that knows column names. The schema that training data must pass, the columns that
reach the preprocessing pipeline, the MLflow signature and the checks on each served row all come from it.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

import pandas as pd
from pydantic import model_validator

from ..parameters import ParameterError, Section

ColumnType = Literal["category", "number", "datetime"]

NO_TABLE = "there is no table yet, take yours in with: kedro adopt TABLE --target COLUMN"


class ContractError(ValueError):
    """Data that breaks the contract; the message names columns and shows what was found."""


class Column(Section):
    """What a request may carry in one column.

    `category` is text, or true or false; `number` any integer or float; `datetime` a point in time without a
    time zone.
    `min` and `max` are inclusive and only for numbers.
    """

    type: ColumnType
    nullable: bool = False
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> Self:
        if self.type != "number" and (self.min is not None or self.max is not None):
            raise ValueError(f"min and max are for numbers, not for a {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Contract(Section):
    """The table: its name in the registry, what is predicted, and the columns to predict it from."""

    name: str
    target: str
    task: Literal["classification", "regression"]
    time: str | None = None
    columns: dict[str, Column]

    @model_validator(mode="after")
    def _target_is_no_feature(self) -> Self:
        if not self.columns:
            raise ValueError("columns: at least one column is needed")
        if self.target in self.columns:
            raise ValueError(f"target {self.target!r} is listed among the columns: it would leak the answer")
        return self

    @classmethod
    def from_parameters(cls, table: Mapping[str, Any] | None) -> Self:
        """Read `params:table`. Raises ParameterError naming the wrong keys, or if there is no table yet."""
        if table is None:
            raise ParameterError(NO_TABLE)
        return cls.read("table", table)

    @property
    def features(self) -> list[str]:
        """The columns of a request, in the order of the contract."""
        return list(self.columns)

    def of_type(self, column_type: ColumnType) -> list[str]:
        """Names of the feature columns of one type."""
        return [name for name, column in self.columns.items() if column.type == column_type]

    def select(self, table: pd.DataFrame) -> pd.DataFrame:
        """The feature columns of `table`, in the order of the contract."""
        return table[self.features]
