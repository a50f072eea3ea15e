"""Reasons: the flags of the rows of a batch, and which of the rows go to the fallback.

A reason is a flag of one row: why it went to the fallback, or what to be careful about in its prediction. It is written
`code:column=value`, such as `out_of_range:distance=-5`: without a value where it is missing, and without a column where
the code is about the whole row.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

Action = Literal["fallback", "flag", "off"]
_MAX_VALUE_LENGTH = 60


class RowReasons:
    """Collects the reasons of the rows of a batch.

    `actions` says by code what a reason does: `fallback` (the default) also sends the row to the fallback, `flag` does
    not, and with `off` the code is not used.
    """

    def __init__(self, n_rows: int, actions: Mapping[str, Action]) -> None:
        self.fallback = np.zeros(n_rows, dtype=bool)
        self._actions = actions
        self._reasons: dict[int, tuple[str, ...]] = {}

    def enabled(self, code: str) -> bool:
        """Whether the action of a code is not `off`."""
        return self._actions.get(code) != "off"

    def add(self, code: str, mask: np.ndarray, column: str = "", values: np.ndarray | None = None) -> None:
        """Flag the rows of a mask of shape (n_rows,), each with its value of `values`."""
        if not mask.any() or not self.enabled(code):
            return
        if self._actions.get(code) != "flag":
            self.fallback |= mask
        for position in np.flatnonzero(mask).tolist():
            details = [column] if column else []
            if values is not None:
                details.append(_format(values[position]))
            reason = f"{code}:{'='.join(details)}" if details else code
            self._reasons[position] = (*self._reasons.get(position, ()), reason)

    def to_array(self) -> np.ndarray:
        """The tuple of reasons of each row, as objects of shape (n_rows,)."""
        column = np.empty(len(self.fallback), dtype=object)
        column.fill(())  # one shared tuple: an object for each row would slow down the garbage collector
        for position, reasons in self._reasons.items():
            column[position] = reasons
        return column


def _format(value: Any) -> str:
    """The value as text, the same for 5 as an integer and as a float."""
    text = format(value, ".15g") if isinstance(value, float) else str(value)
    return text[:_MAX_VALUE_LENGTH]
