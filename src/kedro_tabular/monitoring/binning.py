"""How each column of rows and answers is cut into bins, after the reference rows."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field

from ..contract import Contract, score_columns
from ..modelling import Guard
from ..parameters import Section
from .profile import CONFIDENCE, INPUT, OUTCOME, PREDICTION, SOURCE, MonitoredColumn


class ProfileSettings(Section):
    """How finely the reference is described."""

    bins: int = Field(ge=2)
    categories: int = Field(ge=1)
    sample_rows: int = Field(ge=50)
    metric: str
    slices: list[str]
    slice_rows: int = Field(ge=2)


def watch_inputs(
    contract: Contract, rows: pa.Table, guard: Guard, parts: list[str], settings: ProfileSettings
) -> Iterator[MonitoredColumn]:
    """The contract's columns with their bins; of a date-time each of its parts."""
    for name, column in contract.columns.items():
        if column.type == "category":
            yield _category(name, INPUT + name, rows, guard.categories[name], settings.categories)
        elif column.type == "number":
            yield _number(MonitoredColumn(name=name, group="input", column=INPUT + name), rows, settings.bins)
        else:
            for part in parts:
                of_part = MonitoredColumn(name=f"{name}: {part}", group="input", column=INPUT + name, part=part)
                yield _number(of_part, rows, settings.bins)


def watch_answers(rows: pa.Table, classes: list[str] | None, settings: ProfileSettings) -> Iterator[MonitoredColumn]:
    """Outcome and answers with their bins."""
    numbers, bins = {OUTCOME: "outcome", PREDICTION: "output"}, settings.bins
    if classes is not None:
        yield MonitoredColumn(name=OUTCOME, group="outcome", column=OUTCOME, values=classes)
        yield MonitoredColumn(name=PREDICTION, group="output", column=PREDICTION, values=classes)
        shown = classes[1:] if len(classes) == 2 else classes
        numbers = {CONFIDENCE: "output"} | dict.fromkeys(score_columns(shown), "output")
    for name, group in numbers.items():
        yield _number(MonitoredColumn(name=name, group=group, column=name), rows, bins)  # type: ignore[arg-type]
    yield MonitoredColumn(name=SOURCE, group="output", column=SOURCE, values=["model", "fallback"])


def name_apart(watched: list[MonitoredColumn]) -> list[MonitoredColumn]:
    """The same with a name of its own each: a column of the contract may be named like an answer."""
    named: dict[str, MonitoredColumn] = {}
    for one in watched:
        name = one.name
        while name in named:
            name += f" ({one.group})"
        named[name] = one.model_copy(update={"name": name})
    return list(named.values())


def _category(name: str, column: str, rows: pa.Table, seen: list[str], most: int) -> MonitoredColumn:
    counts = pd.Series(rows[column].to_pylist(), dtype=object).value_counts()
    frequent = sorted(set(counts.index) & set(seen), key=lambda value: (-counts[value], value))[:most]
    others = sorted(set(seen) - set(frequent))
    return MonitoredColumn(name=name, group="input", column=column, values=frequent, others=others)


def _number(watched: MonitoredColumn, rows: pa.Table, bins: int) -> MonitoredColumn:
    values = watched.numbers(rows)
    values = np.sort(values[np.isfinite(values)])
    if not len(values):
        return watched.model_copy(update={"edges": [0.0, 0.0]})
    told = {
        "edges": find_edges(values, bins),
        "discrete": len(np.unique(values)) <= bins,
        "mean": float(values.mean()),
        "deviation": float(values.std()),
    }
    return watched.model_copy(update=told)


def find_edges(values: np.ndarray, bins: int) -> list[float]:
    """Edges of at least one bin between the smallest and the largest value, of about as many rows each.

    Args:
        values: sorted numbers, at least one.
        bins: how many bins there should be. A value that would fill one by itself gets its own.
    """
    unique, counts = np.unique(values, return_counts=True)
    if len(unique) <= bins:
        return [*unique.tolist(), float(unique[-1])]
    heavy = np.flatnonzero(counts > len(values) / bins)
    rest = np.delete(np.arange(len(unique)), heavy)
    spread = np.repeat(unique[rest], counts[rest])
    between = np.quantile(spread, np.linspace(0, 1, max(bins - len(heavy), 1) + 1)) if len(spread) else []
    after = unique[np.minimum(heavy + 1, len(unique) - 1)]
    edges = np.unique(np.concatenate([unique[[0, -1]], between, unique[heavy], after])).tolist()
    return [*edges, edges[-1]] if len(unique) - 1 in heavy else edges
