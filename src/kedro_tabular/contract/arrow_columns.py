"""Columns of Arrow tables, of whatever type, as numbers, text and outcomes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa


def to_float_array(values: pa.ChunkedArray) -> np.ndarray:
    """Numbers as float64, with NaN for missing values and values of other types."""
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_null(values.type):
        return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    numbers = (value if type(value) in (int, float) else np.nan for value in values.to_pylist())
    return np.fromiter(numbers, dtype=np.float64, count=len(values))


def to_string_array(values: pa.ChunkedArray) -> pa.Array:
    """Categories as text."""
    return to_plain_array(values).cast(pa.string())


def to_plain_array(values: pa.ChunkedArray) -> pa.Array:
    """A column as one array without a dictionary."""
    array = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()  # which would copy a single chunk
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def parse_outcomes(values: pa.Array, parse: Callable[[Any], Any], classes: list[str] | None) -> pa.Array:
    """Outcomes as names of classes, or as float64 for a regression (`classes` is None).

    `parse` returns the outcome of a stored value. `1`, `1.0` and `"1"` are the same class.
    """
    encoded = values.dictionary_encode()
    labels = None if classes is None else {_canonical(label): label for label in classes}
    outcomes = [_outcome(parse(value), labels) for value in encoded.dictionary.to_pylist()]
    return pa.array(outcomes, pa.float64() if classes is None else pa.string()).take(encoded.indices)


def _outcome(value: Any, labels: dict[str, str] | None) -> Any:
    if value is None or value != value:
        return None
    if labels is not None:
        return labels.get(_canonical(value), str(value))
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):  # the client sent no number
        return None


def _canonical(label: Any) -> str:
    """The same text for 1, 1.0, true, `1`, `1.0` and `True`."""
    text = str(label)
    if text in ("True", "False"):
        return str(int(text == "True"))
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text
