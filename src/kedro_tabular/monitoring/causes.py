"""What moved in a column, in words: missing values, new values, the mean, the spread, or the shape.

Each measure of drift compares the bins as a whole, so it says how much a column has changed and not what has. The
causes are told apart: missing values and values that the reference does not have have bins of their own, and the
others are compared without them.
"""

import math
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ..contract import to_string_array
from .drift import MISSING, NEW, WASSERSTEIN, Measurement, jensen_shannon, normal_quantile, population_stability_index
from .profile import MonitoredColumn
from .settings import Monitoring
from .text import printable

_MAX_VALUES = 3  # in a cause


class _Cause(NamedTuple):
    severity: float  # the ratio to the threshold
    says: str


class Change(NamedTuple):
    """A column in a window and in the reference."""

    column: MonitoredColumn
    measurements: dict[str, Measurement]
    live: np.ndarray  # counts of the bins in the window, shape (n_bins,)
    reference: np.ndarray  # the same in the reference
    rows: pa.Table  # of the window


def describe_change(change: Change, worst: str, settings: Monitoring) -> str:
    """The causes of a change, the largest first, each with its numbers in the window and in the reference.

    Args:
        change: of a column.
        worst: the measure whose value is reported. It precedes the causes, unless it is one of them.
        settings: their floors and false alarms tell which changes are by chance.
    """
    shares = _new_values if change.column.edges is None else _outside_numbers
    causes = [*_missing_values(change), *shares(change, settings), *_moved_values(change, settings)]
    causes = causes or [_largest_bin(change, slice(None), 0.0, "rows")]
    says = "; ".join(cause.says for cause in sorted(causes, key=lambda cause: -cause.severity))
    if worst in (MISSING, NEW):
        return says
    value = change.measurements[worst].value
    names = {"psi": f"PSI {value:.3f}", WASSERSTEIN: f"Wasserstein distance {value:.2f} standard deviations"}
    measure = names.get(worst) or f"{worst.replace('_', '-')} {value:.3f}"
    return f"{measure}: {says}"


def _missing_values(change: Change) -> list[_Cause]:
    now, before, severity = _share(change.live), _share(change.reference), change.measurements[MISSING].severity
    return [_Cause(severity, f"{now[0]:.2%} missing, reference {before[0]:.2%}")] if severity > 1 else []


def _new_values(change: Change, settings: Monitoring) -> list[_Cause]:
    """Categories that are not in the training rows."""
    column, severity, n_rows = change.column, change.measurements[NEW].severity, change.live.sum()
    if severity <= 1:
        return []
    unseen = change.rows[column.column].filter(pa.array(column.codes(change.rows) == column.n_bins - 1))
    counts = sorted(to_string_array(unseen).value_counts().to_pylist(), key=lambda entry: -entry["counts"])
    shares = [f"{printable(entry['values'])} {entry['counts'] / n_rows:.1%}" for entry in counts[:_MAX_VALUES]]
    share = _share(change.live)[-1]
    return [_Cause(severity, f"{share:.1%} of rows in categories unseen in training ({', '.join(shares)})")]


def _outside_numbers(change: Change, settings: Monitoring) -> list[_Cause]:
    """Numbers below the smallest or above the largest of the reference."""
    now, before, labels = _share(change.live), _share(change.reference), change.column.labels
    # a share of rows beyond the extremes of n others is by chance above x with probability exp(-n x)
    by_chance = -math.log(settings.false_alarms) / max(change.reference.sum(), 1)
    limit = max(change.measurements[MISSING].limit, by_chance)
    return [
        _Cause((now[k] - before[k]) / limit, f"{now[k]:.1%} of rows are {labels[k]}, reference {before[k]:.1%}")
        for k in (1, -1)
        if now[k] - before[k] > limit
    ]


def _moved_values(change: Change, settings: Monitoring) -> list[_Cause]:
    """The mean, the spread or the shape of the values that both have, if these have changed."""
    column, measurements = change.column, change.measurements
    both = slice(1, -1) if column.edges is None else slice(2, -1)
    live, reference, severity = change.live[both], change.reference[both], 0.0
    if live.any() and reference.any():
        psi, distance = population_stability_index(live, reference), jensen_shannon(live, reference)
        severity = float(max(psi / measurements["psi"].limit, distance / measurements["jensen_shannon"].limit))
    if WASSERSTEIN in measurements:
        severity = max(severity, measurements[WASSERSTEIN].severity)
    if severity <= 1:
        return []
    moments = _moments(change, settings) if column.mean is not None and column.deviation else []
    return moments or ([_largest_bin(change, both, severity, "values")] if live.any() and reference.any() else [])


def _moments(change: Change, settings: Monitoring) -> list[_Cause]:
    """The mean and the standard deviation, if they have changed by more than chance and the floor of `wasserstein`.

    As for the Wasserstein distance, numbers outside of the reference count as up to one standard deviation away from
    it: a few very large ones are no shift of the others.
    """
    column, numbers = change.column, change.column.numbers(change.rows)
    assert column.edges is not None and column.mean is not None and column.deviation
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return []
    scale = column.deviation
    clipped = (np.clip(numbers, column.edges[0] - scale, column.edges[-1] + scale) - column.mean) / scale
    mean, deviation = float(clipped.mean()), float(clipped.std())
    # standard errors of a mean, and of the logarithm of a standard deviation
    n_reference = int(change.reference[1:].sum())
    by_chance = normal_quantile(settings.false_alarms) * math.sqrt(1 / len(numbers) + 1 / n_reference)
    kurtosis = float((((clipped - mean) / deviation) ** 4).mean()) if deviation else 1.0
    spread, floor = abs(math.log(deviation)) if deviation else math.inf, settings.floors.wasserstein
    moments = (
        (abs(mean), by_chance, "mean", numbers.mean(), column.mean),
        (spread, by_chance * math.sqrt(kurtosis - 1) / 2, "standard deviation", numbers.std(), scale),
    )
    return [
        _Cause(size / max(floor, error), f"{name} {_format(now, scale)}, reference {_format(before, scale)}")
        for size, error, name, now, before in moments
        if size > max(floor, error)
    ]


def _largest_bin(change: Change, among: slice, severity: float, unit: str) -> _Cause:
    """The bin whose share among some has changed most."""
    now, before = _share(change.live[among]), _share(change.reference[among])
    k = int(np.argmax(np.abs(now - before)))
    name = _bin_names(change.column)[among][k]
    return _Cause(severity, f"{now[k]:.1%} of {unit} are {name}, reference {before[k]:.1%}")


def _bin_names(column: MonitoredColumn) -> list[str]:
    if column.edges is None:
        return ["missing", *map(printable, column.values), "in rarer categories", "in new categories"]
    if column.discrete:
        return [*column.labels[:2], *(f"{edge:g}" for edge in column.edges[:-1]), column.labels[-1]]
    return column.labels


def _share(counts: np.ndarray) -> np.ndarray:
    return counts / max(counts.sum(), 1)


def _format(number: float, scale: float) -> str:
    """A number with the digits that show a difference of a hundredth of the scale, at least four."""
    digits = math.ceil(math.log10(abs(number) / scale)) + 2 if number and np.isfinite(number) else 4
    return f"{number:.{min(max(digits, 4), 15)}g}"
