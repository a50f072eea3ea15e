"""The rows of a table that `table.where` of a model picks."""

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..parameters import ParameterError
from .contract import ContractError

logger = logging.getLogger(__name__)


def select_segments(table: pd.DataFrame, segments: Mapping[str, Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """The rows of each model, by its name.

    Args:
        table: the table of all models.
        segments: `table.where` by model, of those that state it.

    Raises:
        ContractError: a model has no rows.
        ParameterError: a column is not in the table.
    """
    found = {model: table[matches(table, where, model)].reset_index(drop=True) for model, where in segments.items()}
    empty = [f"{model} ({describe_where(segments[model])})" for model, rows in found.items() if rows.empty]
    if empty:
        raise ContractError(f"the table has no rows of: {', '.join(empty)}")
    picked = sum(map(len, found.values()))
    logger.info("segments: %d models, %s rows of %s", len(found), f"{picked:,}", f"{len(table):,}")
    return found


def matches(table: pd.DataFrame, where: Mapping[str, Any], model: str) -> "pd.Series[bool]":
    """Whether each row has one of the values in each column. Raises ParameterError: a column is not in the table."""
    unknown = sorted(set(where) - set(table.columns))
    if unknown:
        raise ParameterError(f"table.where of {model}: the table has no column {', '.join(unknown)}")
    picked = pd.Series(True, index=table.index)
    for column, values in where.items():
        listed = values if isinstance(values, list) else [values]
        picked &= table[column].isin(listed)
    return picked


def describe_where(where: Mapping[str, Any]) -> str:
    """The condition as text, such as `store = 12`."""
    parts = (f"{column} = {' or '.join(map(str, v if isinstance(v, list) else [v]))}" for column, v in where.items())
    return " and ".join(parts)
