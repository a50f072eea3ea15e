"""Names of columns that can't stay as they are."""

import re
from collections.abc import Iterator

from ..contract import is_probability

# What the answers of the packaged model, and the tables they stand in, call their own columns.
_RESERVED = frozenset(
    {
        "prediction",
        "source",
        "reasons",
        "explanation",
        "lower",
        "upper",
        "model_version",
        "outcome",
        "event_time",
        "latency_ms",
        "id",
    }
)
_UNNAMED = re.compile(r"Unnamed: \d+|\s*")


def find_renames(names: list[str]) -> dict[str, tuple[str, str]]:
    """The new name of each column that needs one, and why it does."""
    renames: dict[str, tuple[str, str]] = {}
    taken = set(names)
    for place, name in enumerate(names, start=1):
        new, why = _better(name, place)
        if why is None:
            continue
        candidates = (new, *(f"{new}_{number}" for number in range(2, len(names) + 2)))
        new = next(candidate for candidate in candidates if candidate not in taken)
        taken.add(new)
        renames[name] = (new, why)
    return renames


def _better(name: str, place: int) -> tuple[str, str | None]:
    if _UNNAMED.fullmatch(name):
        return f"column_{place}", "it has no name"
    if name in _RESERVED or is_probability(name):
        return f"{name}_", "the model's answers have a column of that name"
    tidy = " ".join(name.split())
    return tidy, None if tidy == name else "blanks around or line breaks in a name are easily overlooked"


def find_duplicates(names: list[str]) -> Iterator[tuple[str, str]]:
    """Columns that were numbered, as `x.1`, because there is an `x` before them; and that `x`."""
    for name in names:
        original, dot, number = name.rpartition(".")
        if dot and number.isdigit() and original in names:
            yield name, original


def registered_name(stem: str) -> str:
    """A model's name out of that of a file."""
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "table"
