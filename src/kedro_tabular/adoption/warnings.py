"""What a person should look at: mistakes of a table that would look like success."""

import pandas as pd

from ..contract import Contract
from .leaks import MEASURE, SUSPECT
from .names import find_duplicates


def find_doubts(names: list[str], table: pd.DataFrame, contract: Contract, alone: dict[str, float]) -> list[str]:
    """Columns and rows that are the same as others, and columns that hold the answer.

    Args:
        names: all columns of the file.
        table: the contract's columns and the target.
        contract: the contract.
        alone: how much each column says of the target by itself.
    """
    score = {name: value for name, value in alone.items() if name != contract.time}
    same = [] if contract.time else _same_rows(table)
    return [*_same_columns(names), *same, *_leaks(score, contract.task)]


def _same_rows(table: pd.DataFrame) -> list[str]:
    """A random split puts some of them into training and others into the test."""
    same = int(table.duplicated().sum())
    told = f"{same:,} rows are the same as others: if no two cases can be, the tests will look too good"
    return [told] if same else []


def _same_columns(names: list[str]) -> list[str]:
    return [
        f"{original!r} is there twice: the second is called {name!r}. Is it the same? Then --drop it"
        for name, original in find_duplicates(names)
    ]


def _leaks(alone: dict[str, float], task: str) -> list[str]:
    return [
        f"{name!r} says nearly all of the target by itself ({MEASURE[task]} {score:.3f}). If it is known "
        f"only after the event, it leaks the answer: --drop {name!r}"
        for name, score in sorted(alone.items(), key=lambda item: -item[1])
        if score >= SUSPECT[task]
    ]
