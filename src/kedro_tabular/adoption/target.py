"""What is to be predicted."""

from typing import NamedTuple

import pandas as pd
from pandas.api import types

from ..contract import ContractError, NumberFormat, to_classes, to_numbers
from .formats import number_form

_MOST_CODES = 20  # whole numbers of so few different values are taken for classes
MOST_CLASSES = 100
_LEAST = 10  # rows of a class: it is to be learnt, calibrated and tested
_TOLD = 5


class Target(NamedTuple):
    """The target of the rows that have one."""

    values: pd.Series  # classes, or numbers
    has_value: pd.Series  # of all rows
    task: str
    number: NumberFormat | None
    notes: list[str]

    def shares(self) -> pd.Series:
        """The share of each class, the rarest first."""
        return self.values.value_counts(normalize=True).sort_values()


def look_at_target(raw: pd.Series, task: str | None) -> Target:
    """Classes or numbers, and which of both.

    Raises:
        ContractError: nothing can be learnt of it, or it is not what `task` says.
    """
    has_value = raw.notna()
    values = raw[has_value]
    if values.empty:
        raise ContractError(f"no row has a value of the target {raw.name!r}")
    if values.nunique() == 1:
        raise ContractError(f"the target {raw.name!r} is {values.tolist()[0]!r} in all rows: there is nothing to learn")
    notes = []
    if not has_value.all():
        without = int((~has_value).sum())
        notes.append(f"{without:,} of {len(raw):,} rows have no target: each training leaves them out and says so")
    form, numbers = _as_numbers(values)
    if task is None:
        task = _guess_task(numbers)
        other = {"regression": "classification", "classification": "regression"}[task]
        notes.append(f"a {task}" + (f"; if it is none, say --task {other}" if numbers is not None else ""))
    if task == "regression":
        if numbers is None:
            raise ContractError(
                f"the target {raw.name!r} of a regression has to be a number, and it is {_some(values)}"
            )
        return Target(numbers, has_value, task, form if form != NumberFormat() else None, notes)
    classes = to_classes(values)
    _refuse_classes(classes, numbers is not None)
    return Target(classes, has_value, task, None, notes + _on_classes(classes, values))


def _as_numbers(values: pd.Series) -> tuple[NumberFormat | None, pd.Series | None]:
    if types.is_numeric_dtype(values.dtype):
        return None, values
    form = None if types.is_datetime64_dtype(values.dtype) else number_form(values)
    return form, None if form is None else to_numbers(values, form)


def _guess_task(numbers: pd.Series | None) -> str:
    if numbers is None:
        return "classification"
    whole = bool((numbers % 1 == 0).all())
    return "classification" if whole and numbers.nunique() <= _MOST_CODES else "regression"


def _refuse_classes(classes: pd.Series, are_numbers: bool) -> None:
    counts = classes.value_counts()
    instead = ". It can be predicted as a number: --task regression" if are_numbers else ""
    if len(counts) > MOST_CLASSES:
        raise ContractError(
            f"the target {classes.name!r} has {len(counts):,} different values, too many for classes: at "
            f"most {MOST_CLASSES}{instead}"
        )
    rare = counts[counts < _LEAST]
    if len(rare):
        told = ", ".join(f"{label!r} ({n})" for label, n in list(rare.items())[:_TOLD])
        more = f" and {len(rare) - _TOLD} more" if len(rare) > _TOLD else ""
        raise ContractError(
            f"classes with fewer than {_LEAST} rows: {told}{more}. That is too few to learn, calibrate and "
            f"test them. Put them together with others in the file, or take these rows out of it{instead}"
        )


def _on_classes(classes: pd.Series, given: pd.Series) -> list[str]:
    labels = sorted(classes.unique().tolist())
    notes = []
    if set(given.astype(str).str.lower().unique()) == {"true", "false"}:
        notes.append("true is class 1, false is class 0")
    if len(labels) == 2:
        notes.append(f"{labels[1]!r} is the positive class: {classes.eq(labels[1]).mean():.1%} of the rows")
    else:
        counts = classes.value_counts()
        labels = counts.index.tolist()
        rarest = f"{labels[-1]!r} the rarest with {counts.iloc[-1]:,} rows"
        notes.append(f"{len(labels)} classes: {labels[0]!r} is the most frequent, {rarest}")
    return notes


def _some(values: pd.Series) -> str:
    return f"for example {values.unique()[:3].tolist()}"
