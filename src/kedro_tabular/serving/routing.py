"""Which model predicts a row: that of its segment."""

import logging
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

logger = logging.getLogger(__name__)

_Key = tuple[Any, ...]


class Router:
    """Finds the models of rows by the values of the columns in `table.where`.

    Args:
        segments: `table.where` by model. If a row is in the segments of several, it is that of the first.
    """

    def __init__(self, segments: Mapping[str, Mapping[str, Any]]) -> None:
        self._models: dict[tuple[str, ...], dict[_Key, str]] = {}  # by columns, and their values
        for model, where in segments.items():
            columns = tuple(sorted(where))
            values = [where[name] if isinstance(where[name], list) else [where[name]] for name in columns]
            models = self._models.setdefault(columns, {})
            for key in product(*values):
                other = models.setdefault(_normalize(key), model)
                if other != model:
                    shown = ", ".join(f"{name} = {value}" for name, value in zip(columns, key, strict=True))
                    logger.warning("rows with %s are of %s and %s: %s predicts them", shown, other, model, other)

    @property
    def columns(self) -> list[str]:
        """The columns that say of which segment a row is."""
        return sorted({name for columns in self._models for name in columns})

    def find(self, row: Mapping[str, Any]) -> str | None:
        """The model of the segment of a row; None if it is in no segment."""
        for columns, models in self._models.items():
            try:
                found = models.get(_normalize(tuple(row.get(name) for name in columns)))
            except TypeError:  # a list or an object, which has no hash
                continue
            if found is not None:
                return found
        return None

    def find_by_key(self, columns: Sequence[str], key: Sequence[Any] | None) -> str | None:
        """The model of the segment of a row of which these columns are known; None if they do not say."""
        return self.find(dict(zip(columns, key or (), strict=False)))

    def group(self, rows: Sequence[Mapping[str, Any]]) -> dict[str | None, list[int]]:
        """The positions of the rows of each segment, and of those in none."""
        groups: dict[str | None, list[int]] = {}
        for position, row in enumerate(rows):
            groups.setdefault(self.find(row), []).append(position)
        return groups


def _normalize(key: _Key) -> _Key:
    """Values as the contract takes them: 12 and 12.0 are equal, 12 and "12" are not, and true is a text."""
    return tuple(str(value).lower() if isinstance(value, bool) else value for value in key)
