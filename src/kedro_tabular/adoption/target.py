"""The target: its task, type and classes."""

from typing import NamedTuple

import pandas as pd
from pandas.api import types

from ..contract import ContractError, NumberFormat, to_classes, to_numbers
from .formats import infer_number_format

_MAX_CODES = 20  # whole numbers of up to so many distinct values are classes
MAX_CLASSES = 100
_MIN_CLASS_ROWS = 10  # to train, calibrate and test
_MAX_LISTED = 5


class Target(NamedTuple):
    """The target of the rows that have one."""

    values: pd.Series  # classes, or numbers
    has_value: pd.Series  # of all rows
    task: str
    number_format: NumberFormat | None
    notes: list[str]


def infer_target(raw: pd.Series, task: str | None) -> Target:
    """The task and the values of the target.

    Args:
        raw: the column of the file.
        task: classification or regression; None to infer it.

    Raises:
        ContractError: no model can be trained for this target, or for it with this task.
    """
    has_value = raw.notna()
    values = raw[has_value]
    if values.empty:
        raise ContractError(f"the target {raw.name!r} is missing in all rows")
    if values.nunique() == 1:
        raise ContractError(f"the target {raw.name!r} is {values.tolist()[0]!r} in all rows: there is nothing to learn")
    notes = []
    if not has_value.all():
        notes.append(f"{(~has_value).sum():,} of {len(raw):,} rows have no target and are left out of the training")
    number_format, numbers = _as_numbers(values)
    if task is None:
        task = _infer_task(numbers)
        other = "classification" if task == "regression" else "regression"
        alternative = f"; for a {other}: --task {other}" if numbers is not None else ""
        notes.append(f"treated as a {task}{alternative}")
    if task == "regression":
        if numbers is None:
            examples = values.unique()[:3].tolist()
            raise ContractError(f"the target of a regression must be a number; {raw.name!r} has values like {examples}")
        return Target(numbers, has_value, task, number_format if number_format != NumberFormat() else None, notes)
    classes = to_classes(values)
    _check_classes(classes, numbers is not None)
    return Target(classes, has_value, task, None, notes + _describe_classes(classes, values))


def _as_numbers(values: pd.Series) -> tuple[NumberFormat | None, pd.Series | None]:
    if types.is_numeric_dtype(values.dtype):
        return None, values
    number_format = None if types.is_datetime64_dtype(values.dtype) else infer_number_format(values)
    return number_format, None if number_format is None else to_numbers(values, number_format)


def _infer_task(numbers: pd.Series | None) -> str:
    if numbers is None or ((numbers % 1 == 0).all() and numbers.nunique() <= _MAX_CODES):
        return "classification"
    return "regression"


def _check_classes(classes: pd.Series, are_numbers: bool) -> None:
    counts = classes.value_counts()
    alternative = ". To predict it as a number: --task regression" if are_numbers else ""
    if len(counts) > MAX_CLASSES:
        raise ContractError(
            f"the target {classes.name!r} has {len(counts):,} distinct values; at most {MAX_CLASSES} classes are "
            f"possible{alternative}"
        )
    rare = counts[counts < _MIN_CLASS_ROWS]
    if len(rare):
        listed = ", ".join(f"{label!r} ({n})" for label, n in rare.head(_MAX_LISTED).items())
        more = f" and {len(rare) - _MAX_LISTED} more" if len(rare) > _MAX_LISTED else ""
        raise ContractError(
            f"classes with fewer than {_MIN_CLASS_ROWS} rows: {listed}{more}. That is too few to train, calibrate "
            f"and test with. Merge them with other classes in the file, or remove these rows{alternative}"
        )


def _describe_classes(classes: pd.Series, values: pd.Series) -> list[str]:
    notes = []
    if set(values.astype(str).str.lower().unique()) == {"true", "false"}:
        notes.append("true is class 1, false is class 0")
    counts = classes.value_counts()
    if len(counts) == 2:
        positive = max(counts.index.tolist())
        notes.append(f"{positive!r} is the positive class: {classes.eq(positive).mean():.1%} of the rows")
    else:
        frequent, *_, rarest = counts.index.tolist()
        rare = f"{rarest!r} the rarest with {counts.iloc[-1]:,} rows"
        notes.append(f"{len(counts)} classes: {frequent!r} is the most frequent, {rare}")
    return notes
