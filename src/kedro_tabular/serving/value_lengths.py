"""The limit on the length of values, so that one of them can't fill the log or fail the rows beside it."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import RequestError
from .log.records import as_json
from .parsing import Rows


def check_lengths(rows: Rows, columns: Iterable[str], max_characters: int) -> Rows:
    """The rows, unchanged. Raises RequestError if a value of these columns has more characters, as JSON writes it."""
    for name in columns:
        values = rows.columns.get(name)
        if values is None or values.dtype.kind in "biufcmM":
            continue
        for position, value in enumerate(np.asarray(values, dtype=object)):
            length = _length(value)
            if length > max_characters:
                message = f"row {position}: the value of {name} has {length:,} characters"
                raise RequestError(422, "value_too_long", message, name, f"{max_characters:,} characters or less")
    return rows


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return len(as_json(value)) if isinstance(value, list | dict | int) else 0
