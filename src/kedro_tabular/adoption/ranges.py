"""How many rows have a number outside the range that training will have seen."""

import pandas as pd

from ..contract import Contract

_TRAINED = 0.6
_MARGIN = 0.1  # of the range, on either side: the guard's
MOST_OUTSIDE = 0.05  # of so many columns that more rows have one, being outside says little


def share_outside(table: pd.DataFrame, contract: Contract) -> float:
    """The share among the later rows, or random ones, that have any number outside the others' range."""
    ordered = table.sort_values(contract.time) if contract.time else table.sample(frac=1, random_state=0)
    numbers = ordered[contract.of_type("number")]
    known, new = numbers.iloc[: int(len(numbers) * _TRAINED)], numbers.iloc[int(len(numbers) * _TRAINED) :]
    margin = _MARGIN * (known.max() - known.min())
    outside = (new < known.min() - margin) | (new > known.max() + margin)
    return float(outside.any(axis=1).mean())
