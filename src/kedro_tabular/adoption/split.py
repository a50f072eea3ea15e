"""Where the table is split, and how many rows each part gets."""

from typing import Any, NamedTuple

import pandas as pd

from ..contract import ContractError
from .inference import InferredContract

_SHARES = {"train": 0.6, "calibration": 0.15, "test": 0.15}  # the rest simulates production traffic


class Split(NamedTuple):
    """The values of `params:split`, and the number of rows of each part."""

    parameters: dict[str, Any]
    rows: dict[str, int]


def choose_split(inferred: InferredContract) -> Split:
    """By time if the contract has one, else at random.

    Raises:
        ContractError: there are too few days, or a part would lack classes.
    """
    contract, table = inferred.contract, inferred.table
    if contract.time is None:
        rows = {part: round(share * len(table)) for part, share in _SHARES.items()}
        return Split(dict(_SHARES), rows | {"live": len(table) - sum(rows.values())})
    days = table[contract.time].dt.normalize()
    ends = _last_days(days)
    parts = pd.cut(days, [pd.Timestamp.min, *ends, pd.Timestamp.max], labels=[*_SHARES, "live"])
    if contract.task == "classification":
        _check_classes(table[contract.target], parts)
    parameters = {part: f"{day:%Y-%m-%d}" for part, day in zip(_SHARES, ends, strict=True)}
    return Split(parameters, {str(part): int(n) for part, n in parts.value_counts(sort=False).items()})


def _last_days(days: pd.Series) -> list[pd.Timestamp]:
    """The last day of each part: the one up to which the share of rows is nearest to what the part should end with."""
    shares = days.value_counts(normalize=True).sort_index().cumsum()
    if len(shares) < len(_SHARES) + 1:
        raise ContractError(
            f"{days.name!r} (--time) has {len(shares)} distinct days; a split by time needs at least "
            f"{len(_SHARES) + 1}, as each part ends with a day. Leave out --time for a random split"
        )
    ends: list[int] = []
    end_share = 0.0
    for position, share in enumerate(_SHARES.values()):
        end_share += share
        earliest = ends[-1] + 1 if ends else 0
        latest = len(shares) - 1 - (len(_SHARES) - position)
        nearest = int((shares - end_share).abs().to_numpy().argmin())
        ends.append(min(max(nearest, earliest), latest))
    return [shares.index[end] for end in ends]


def _check_classes(target: pd.Series, parts: pd.Series) -> None:
    """The training part needs all classes, the others at least two to compute metrics from."""
    for part in _SHARES:
        present = set(target[parts == part].unique().tolist())
        missing = sorted(set(target.unique().tolist()) - present)
        if missing and (part == "train" or len(present) < 2):
            raise ContractError(
                f"split by time, the {part} part would have no rows of class {missing[0]!r}, which occurs only at "
                "other times. Leave out --time for a random split"
            )
