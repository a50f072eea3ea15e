"""The split into training, calibration, test and simulated production rows."""

from typing import Any, NamedTuple

import pandas as pd

from ..contract import ContractError
from ..evaluation import Parts, split_by_hash, split_by_time
from ..parameters import ParameterError
from .inference import InferredContract

_SHARES = {"train": 0.6, "calibration": 0.15, "test": 0.15}  # the rest simulates production traffic
_MAX_SEEDS = 200


class Split(NamedTuple):
    """The values of `params:split`, the seed, and the parts of the table."""

    parameters: dict[str, Any]
    seed: int
    parts: Parts

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of each part."""
        return self.parts.rows


def choose_split(inferred: InferredContract, seed: int = 0) -> Split:
    """By time if the contract has one, else by a hash of the rows.

    Raises:
        ContractError: there are too few days, or a part would lack rows or classes.
    """
    contract, table = inferred.contract, inferred.table
    group = {"group": inferred.group or None}
    if contract.time is None:
        return _choose_seed(inferred, dict(_SHARES) | group, seed)
    ends = _last_days(table[contract.time].dt.normalize())
    parameters = {part: f"{day:%Y-%m-%d}" for part, day in zip(_SHARES, ends, strict=True)} | group
    parts = split_by_time(table, contract, parameters)
    lacking = _lacking_class(inferred, parts)
    if lacking:
        part, label = lacking
        raise ContractError(
            f"split by time, the {part} part would have no rows of class {label!r}, which occurs only at other times. "
            "Leave out --time for a random split"
        )
    return Split(parameters, seed, parts)


def _choose_seed(inferred: InferredContract, parameters: dict[str, Any], first: int) -> Split:
    """The first seed with which no part lacks rows or classes. Rows keep their part for ever, so none is stratified."""
    problem = ""
    for seed in range(first, first + _MAX_SEEDS):
        try:
            parts = split_by_hash(inferred.table, inferred.contract, parameters, seed)
        except ParameterError as error:
            problem = str(error)
            continue
        lacking = _lacking_class(inferred, parts)
        if lacking is None:
            return Split(parameters, seed, parts)
        problem = f"the {lacking[0]} part has no rows of class {lacking[1]!r}"
    grouped = f", with the rows of each {' and '.join(inferred.group)} in one part" if inferred.group else ""
    raise ContractError(f"the table can't be split at random{grouped}: {problem}")


def _lacking_class(inferred: InferredContract, parts: Parts) -> tuple[str, Any] | None:
    """The part that lacks a class, and the class: training needs all, the others two to compute metrics from."""
    if inferred.contract.task == "regression":
        return None
    classes = set(inferred.table[inferred.contract.target].unique().tolist())
    for part in _SHARES:
        present = set(parts._asdict()[part][inferred.contract.target].unique().tolist())
        missing = sorted(classes - present)
        if missing and (part == "train" or len(present) < 2):
            return part, missing[0]
    return None


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
