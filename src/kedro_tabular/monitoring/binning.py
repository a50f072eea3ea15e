"""The bins of each monitored column, chosen from the reference rows."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field

from ..contract import PREDICTION, SOURCE, Contract, score_columns
from ..modelling import Guard
from ..parameters import Section
from .profile import CONFIDENCE, INPUT, OUTCOME, Group, MonitoredColumn


class ProfileSettings(Section):
    """The section `profile` of the parameters."""

    bins: int = Field(ge=2)
    categories: int = Field(ge=1)
    sample_rows: int = Field(ge=50)
    metric: str
    slices: list[str]
    slice_rows: int = Field(ge=2)


def input_columns(
    contract: Contract, rows: pa.Table, guard: Guard, datetime_parts: list[str], settings: ProfileSettings
) -> Iterator[MonitoredColumn]:
    """The contract's columns with their bins; for a date-time each of its parts."""
    for name, column in contract.columns.items():
        if column.type == "category":
            yield _categorical(name, rows, guard.categories[name], settings.categories)
            continue
        names = {name: None} if column.type == "number" else {f"{name}: {part}": part for part in datetime_parts}
        for label, part in names.items():
            monitored = MonitoredColumn(name=label, group="input", column=INPUT + name, part=part)
            yield _numerical(monitored, rows, settings.bins)


def output_columns(rows: pa.Table, classes: list[str] | None, settings: ProfileSettings) -> Iterator[MonitoredColumn]:
    """Outcome and predictions with their bins."""
    numbers: dict[str, Group] = {OUTCOME: "outcome", PREDICTION: "output"}
    if classes is not None:
        yield MonitoredColumn(name=OUTCOME, group="outcome", column=OUTCOME, values=classes)
        yield MonitoredColumn(name=PREDICTION, group="output", column=PREDICTION, values=classes)
        numbers = dict.fromkeys([CONFIDENCE, *score_columns(classes[1:] if len(classes) == 2 else classes)], "output")
    for name, group in numbers.items():
        yield _numerical(MonitoredColumn(name=name, group=group, column=name), rows, settings.bins)
    yield MonitoredColumn(name=SOURCE, group="output", column=SOURCE, values=["model", "fallback"])


def with_unique_names(columns: list[MonitoredColumn]) -> list[MonitoredColumn]:
    """The columns with unique names: an input may have the name of an output."""
    by_name: dict[str, MonitoredColumn] = {}
    for column in columns:
        name = column.name
        while name in by_name:
            name += f" ({column.group})"
        by_name[name] = column.model_copy(update={"name": name})
    return list(by_name.values())


def _categorical(name: str, rows: pa.Table, training: list[str], max_categories: int) -> MonitoredColumn:
    column = INPUT + name
    counts = pd.Series(rows[column].to_pylist(), dtype=object).value_counts()
    frequent = sorted(set(counts.index) & set(training), key=lambda value: (-counts[value], value))[:max_categories]
    others = sorted(set(training) - set(frequent))
    return MonitoredColumn(name=name, group="input", column=column, values=frequent, others=others)


def _numerical(column: MonitoredColumn, rows: pa.Table, n_bins: int) -> MonitoredColumn:
    values = column.numbers(rows)
    values = np.sort(values[np.isfinite(values)])
    if not len(values):
        return column.model_copy(update={"edges": [0.0, 0.0]})
    bins = {
        "edges": find_edges(values, n_bins),
        "discrete": len(np.unique(values)) <= n_bins,
        "mean": float(values.mean()),
        "deviation": float(values.std()),
    }
    return column.model_copy(update=bins)


def find_edges(values: np.ndarray, n_bins: int) -> list[float]:
    """Edges from the smallest to the largest of sorted values (at least one), of bins with about as many rows each.

    A value that would fill a bin alone gets its own.
    """
    unique, counts = np.unique(values, return_counts=True)
    if len(unique) <= n_bins:
        return [*unique.tolist(), float(unique[-1])]
    heavy = np.flatnonzero(counts > len(values) / n_bins)
    rest = np.delete(np.arange(len(unique)), heavy)
    spread = np.repeat(unique[rest], counts[rest])
    between = np.quantile(spread, np.linspace(0, 1, max(n_bins - len(heavy), 1) + 1)) if len(spread) else []
    after = unique[np.minimum(heavy + 1, len(unique) - 1)]
    edges = np.unique(np.concatenate([unique[[0, -1]], between, unique[heavy], after])).tolist()
    return [*edges, edges[-1]] if len(unique) - 1 in heavy else edges
