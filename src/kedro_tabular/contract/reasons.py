"""What speaks against the rows of a batch: reasons by row, and which rows are not left to the model."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

Action = Literal["fallback", "flag", "off"]
_LONGEST_VALUE = 60


class RowReasons:
    """Reasons that were found row by row, each treated as its action says.

    A reason is written `code:column=value`, such as `out_of_range:distance=-5`; without the value where it is
    missing, and without the column where the row as a whole is meant. `fallback` takes a row from the model,
    `flag` only tells, `off` ignores.

    Args:
        n_rows: rows of the batch.
        actions: the action of each code; one that is not named is `fallback`.
    """

    def __init__(self, n_rows: int, actions: Mapping[str, Action]) -> None:
        self.fallback = np.zeros(n_rows, dtype=bool)
        self._actions = actions
        self._reasons: dict[int, tuple[str, ...]] = {}

    def wants(self, code: str) -> bool:
        """Whether it is worth looking for."""
        return self._actions.get(code) != "off"

    def add(self, code: str, where: np.ndarray, column: str = "", values: np.ndarray | None = None) -> None:
        """Hold a reason against the rows of a mask of shape (n_rows,), each with its value of `values`."""
        if not where.any() or not self.wants(code):
            return
        if self._actions.get(code) != "flag":
            self.fallback |= where
        for position in np.flatnonzero(where).tolist():
            told = [column] if column else []
            if values is not None:
                told.append(_text(values[position]))
            reason = f"{code}:{'='.join(told)}" if told else code
            self._reasons[position] = (*self._reasons.get(position, ()), reason)

    def reasons(self) -> np.ndarray:
        """The tuple of reasons of each row, as objects of shape (n_rows,)."""
        column = np.empty(len(self.fallback), dtype=object)
        column.fill(())  # and not a list of its own for each row: so many objects take long to collect
        for position, found in self._reasons.items():
            column[position] = found
        return column


def _text(value: Any) -> str:
    """The value as it is told: the same whether 5 came as an integer or as a float."""
    shown = format(value, ".15g") if isinstance(value, float) else str(value)
    return shown[:_LONGEST_VALUE]
