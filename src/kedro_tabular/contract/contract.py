"""The contract, which is the schema of the table, read from `params:table`.

Nothing else names columns: the validation of training data, the preprocessing, the MLflow signature and the checks of
each served row are derived from it.
"""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import model_validator

from ..parameters import ParameterError, Section

ColumnType = Literal["category", "number", "datetime"]

NO_TABLE = "there is no table yet, adopt yours with: kedro adopt TABLE --target COLUMN"


class ContractError(ValueError):
    """Data that breaks the contract; the message names the columns and shows examples."""


class Column(Section):
    """The schema of one column.

    `category` is text, or true or false; `number` any integer or float; `datetime` a date-time.
    `min` and `max` are inclusive and only for numbers.
    """

    type: ColumnType
    nullable: bool = False
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.type != "number" and (self.min is not None or self.max is not None):
            raise ValueError(f"min and max are for numbers, not for a {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Contract(Section):
    """The schema of the table: the name of its model in the registry, the target and the feature columns.

    Date-times are in `timezone`. Those that have a time zone of their own are converted to it. `where` are the values
    of columns in the rows that the model is for: a value, or a list of values, by column.
    """

    name: str
    target: str
    task: Literal["classification", "regression"]
    time: str | None = None
    timezone: str = "UTC"
    where: dict[str, Any] | None = None
    columns: dict[str, Column]

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if not self.columns:
            raise ValueError("columns: at least one column is needed")
        if self.target in self.columns:
            raise ValueError(f"target {self.target!r} is listed among the columns, which would leak it to the model")
        try:
            _ = self.zone
        except (LookupError, OSError, ValueError):
            message = f"timezone {self.timezone!r} is unknown: write a name of the IANA database, such as Europe/Berlin"
            raise ValueError(message) from None
        return self

    @classmethod
    def from_parameters(cls, table: Mapping[str, Any] | None) -> Self:
        """Read `params:table`. Raises ParameterError if a key is wrong or there is no table yet."""
        if table is None:
            raise ParameterError(NO_TABLE)
        return cls.read("table", table)

    @property
    def zone(self) -> tzinfo:
        """The time zone of the date-times."""
        return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)

    @property
    def features(self) -> list[str]:
        """Names of the feature columns, in the order of the contract."""
        return list(self.columns)

    def of_type(self, column_type: ColumnType) -> list[str]:
        """Names of the feature columns of one type."""
        return [name for name, column in self.columns.items() if column.type == column_type]

    def select(self, table: pd.DataFrame) -> pd.DataFrame:
        """The feature columns of `table`, in the order of the contract."""
        return table[self.features]
