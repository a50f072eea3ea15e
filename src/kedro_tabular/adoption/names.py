"""Column names that can't stay as they are, and the model's name."""

import re
from collections.abc import Iterator

from ..contract import EXPLANATION, LOWER, PREDICTION, REASONS, SOURCE, UPPER, is_probability

# Columns of predictions, and of the tables that hold them.
_RESERVED = frozenset({PREDICTION, SOURCE, REASONS, EXPLANATION, LOWER, UPPER}) | frozenset(
    {"model_version", "outcome", "event_time", "latency_ms", "id"}
)
_UNNAMED = re.compile(r"Unnamed: \d+|\s*")


def find_renames(names: list[str]) -> dict[str, tuple[str, str]]:
    """The new name of each column that needs one, and the reason."""
    renames: dict[str, tuple[str, str]] = {}
    taken = set(names)
    for position, name in enumerate(names, start=1):
        base, reason = _propose(name, position)
        if reason is None:
            continue
        candidates = (base, *(f"{base}_{number}" for number in range(2, len(names) + 2)))
        new = next(candidate for candidate in candidates if candidate not in taken)
        taken.add(new)
        renames[name] = (new, reason)
    return renames


def _propose(name: str, position: int) -> tuple[str, str | None]:
    if _UNNAMED.fullmatch(name):
        return f"column_{position}", "it has no name"
    if name in _RESERVED or is_probability(name):
        return f"{name}_", "predictions have a column of that name"
    tidy = " ".join(name.split())
    return tidy, None if tidy == name else "without extra blanks and line breaks"


def find_duplicate_columns(names: list[str]) -> Iterator[tuple[str, str]]:
    """Columns that pandas numbered, as `x.1`, because there is an `x` before them; and that `x`."""
    for name in names:
        original, dot, number = name.rpartition(".")
        if dot and number.isdigit() and original in names:
            yield name, original


def model_name(stem: str) -> str:
    """The name of the registered model for a file name without suffixes."""
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "table"
