"""Columns of Arrow tables as numbers, text and outcomes, whatever types they came in."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa


def as_numbers(values: pa.ChunkedArray) -> np.ndarray:
    """Numbers as float64; what is missing or of another type becomes NaN."""
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_null(values.type):
        return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    given = (value if type(value) in (int, float) else np.nan for value in values.to_pylist())
    return np.fromiter(given, dtype=np.float64, count=len(values))


def as_text(values: pa.ChunkedArray) -> pa.Array:
    """Categories as text."""
    whole = combine_chunks(values)
    return whole if pa.types.is_string(whole.type) else whole.cast(pa.string())


def combine_chunks(values: pa.ChunkedArray) -> pa.Array:
    """A column as one array of plain values."""
    if values.num_chunks == 0:
        return pa.array([], values.type)
    whole = values.chunk(0) if values.num_chunks == 1 else pa.concat_arrays(values.chunks)
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def parse_outcomes(values: pa.Array, parse: Callable[[Any], Any], classes: list[str] | None) -> pa.Array:
    """Outcomes as names of classes, or of a regression as float64: `1`, `1.0` and `"1"` are one class.

    Args:
        values: as they are stored.
        parse: gives the value of one of them.
        classes: None for a regression.
    """
    encoded = values.dictionary_encode()
    known = None if classes is None else {_canonical(label): label for label in classes}
    names = [_outcome(parse(value), known) for value in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.float64() if classes is None else pa.string()).take(encoded.indices)


def _outcome(value: Any, known: dict[str, str] | None) -> Any:
    if value is None or value != value:
        return None
    if known is not None:
        return known.get(_canonical(value), str(value))
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):  # a client has sent something else
        return None


def _canonical(label: Any) -> str:
    """One way to write a class, however it came: 1, 1.0, true, `1` and `1.0`, `True` are the same."""
    text = str(label)
    if text in ("True", "False"):
        return str(int(text == "True"))
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text
