"""Where the table is split, and how many rows each part gets."""

from typing import Any, NamedTuple

import pandas as pd

from ..contract import ContractError
from .inference import Decision

_SHARES = {"train": 0.6, "calibration": 0.15, "test": 0.15}  # the rest is live traffic


class Split(NamedTuple):
    """The values of `params:split`, and the rows of each part."""

    values: dict[str, Any]
    rows: dict[str, int]


def choose_split(decision: Decision) -> Split:
    """By time where there is one, else at random.

    Raises:
        ContractError: there are too few days, or a part would lack classes.
    """
    time = decision.contract.time
    if time is None:
        n_rows = len(decision.table)
        rows = {name: round(share * n_rows) for name, share in _SHARES.items()}
        return Split(dict(_SHARES), rows | {"live": n_rows - sum(rows.values())})
    days = decision.table[time].dt.normalize()
    ends = _last_days(days)
    parts = pd.cut(days, [pd.Timestamp.min, *ends, pd.Timestamp.max], labels=[*_SHARES, "live"])
    if decision.contract.task == "classification":
        _refuse_lacking(decision.table[decision.contract.target], parts)
    values = {name: f"{day:%Y-%m-%d}" for name, day in zip(_SHARES, ends, strict=True)}
    return Split(values, {str(name): int(n) for name, n in parts.value_counts(sort=False).items()})


def _last_days(days: pd.Series) -> list[pd.Timestamp]:
    """The day with which each part ends, by the shares of rows up to it."""
    share = days.value_counts(normalize=True).sort_index().cumsum()
    if len(share) < len(_SHARES) + 1:
        raise ContractError(
            f"{days.name!r} (--time) has {len(share)} different days, and the parts of a split by time end "
            f"with days: at least {len(_SHARES) + 1} are needed. Leave out --time for a random split"
        )
    ends: list[int] = []
    wanted = 0.0
    for place, part in enumerate(_SHARES.values()):
        wanted += part
        earliest = ends[-1] + 1 if ends else 0
        latest = len(share) - 1 - (len(_SHARES) - place)
        nearest = int((share - wanted).abs().to_numpy().argmin())
        ends.append(min(max(nearest, earliest), latest))
    return [share.index[end] for end in ends]


def _refuse_lacking(target: pd.Series, parts: pd.Series) -> None:
    """What is to be learnt has to be there by then; what is measured needs two classes to tell apart."""
    for part in _SHARES:
        there = {*target[parts == part].unique().tolist()}
        lacking = sorted({*target.unique().tolist()} - there)
        if lacking and (part == "train" or len(there) < 2):
            raise ContractError(
                f"split by time, the rows for {part} would have none of class {lacking[0]!r}: it comes "
                "only at other times. Leave out --time for a random split"
            )
