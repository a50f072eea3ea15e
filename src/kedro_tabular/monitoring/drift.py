"""Measures of drift, the thresholds that they exceed by chance, and the findings of all checks.

The measures compare counts of bins, so the cost does not depend on the length of the window. Each takes the counts of
a window and of the reference, of shape (..., n_bins), and returns an array of shape (...).
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import rel_entr

from .profile import MonitoredColumn
from .settings import Check, Rule

_SMOOTHING = 0.5  # rows added to each bin, so that an empty bin is not infinitely surprising (Jeffreys prior)
WASSERSTEIN, MISSING, NEW = "wasserstein", "missing", "new_category"

Unit = Literal["rows", "blocks"]
# With its counts in the window, shape (n_bins,), and in the profile, (n_blocks, n_bins).
CountedColumn = tuple[MonitoredColumn, np.ndarray, np.ndarray]


class Measurement(NamedTuple):
    """A measured value and its threshold."""

    value: float
    limit: float

    @property
    def severity(self) -> float:
        """The ratio to the threshold; a finding if above 1."""
        return self.value / self.limit


class Finding(NamedTuple):
    """The result of one check of one subject. The fields are the keys of monitoring.json."""

    check: Check
    subject: str
    value: float
    limit: float  # the threshold
    says: str  # the value in words
    rank: float  # findings of one check are sorted by it, the highest first

    @classmethod
    def of(cls, check: Check, subject: str, measured: Measurement, says: str, rank: float | None = None) -> "Finding":
        """A finding of a measurement, ranked by its severity unless a rank is given."""
        return cls(check, subject, *measured, says, measured.severity if rank is None else rank)

    def with_rule(self, rule: Rule) -> "Finding":
        """The finding with the threshold of a rule, if the rule has one."""
        return self if rule.above is None else self._replace(limit=rule.above)

    @property
    def raised(self) -> bool:
        """Whether the value exceeds the threshold."""
        return self.value > self.limit

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON, with its ratio to the threshold."""
        return self._asdict() | {"severity": self.value / self.limit if self.limit > 0 else None}


def population_stability_index(live: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The symmetric Kullback-Leibler divergence of the shares of the bins.

    Siddiqi 2006, "Credit Risk Scorecards"; its distribution by chance: Yurdakul and Naranjo 2020,
    https://doi.org/10.21314/JRMV.2020.227.
    """
    p, q = _smooth(live), _smooth(reference)
    return ((p - q) * np.log(p / q)).sum(axis=-1)


def jensen_shannon(live: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The Jensen-Shannon distance, from 0 to 1 (Lin 1991, https://doi.org/10.1109/18.61115).

    `scipy.spatial.distance.jensenshannon` returns NaN where rounding makes the divergence negative.
    """
    p, q = _smooth(live), _smooth(reference)
    mean = (p + q) / 2
    divergence = (rel_entr(p, mean) + rel_entr(q, mean)).sum(axis=-1) / np.log(4)
    return np.sqrt(np.maximum(divergence, 0))


def wasserstein(column: MonitoredColumn, live: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The Wasserstein distance of numbers, in standard deviations of the reference; 0 if all numbers are missing.

    It is the area between the two distribution functions. These are linear within a bin, or steps where a bin holds
    a single value. Values outside the edges count as up to one standard deviation away from them.
    """
    scale, edges = column.deviation or 1.0, np.array(column.edges)
    difference = np.abs(np.cumsum(_shares(live[..., 1:]) - _shares(reference[..., 1:]), axis=-1))
    if column.discrete:
        positions = np.concatenate([[edges[0] - scale], edges[:-1], [edges[-1] + scale]])
        heights = difference[..., :-1]
    else:
        positions = np.concatenate([[edges[0] - scale], edges, [edges[-1] + scale]])
        difference = np.concatenate([np.zeros((*difference.shape[:-1], 1)), difference], axis=-1)
        heights = (difference[..., 1:] + difference[..., :-1]) / 2
    area = (heights * np.diff(positions)).sum(axis=-1)
    has_numbers = (live[..., 1:].sum(axis=-1) > 0) & (reference[..., 1:].sum(axis=-1) > 0)
    return np.where(has_numbers, area / scale, 0.0)


def measure_drift(column: MonitoredColumn, live: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
    """The measures for the type of the column, by name; of the shares of missing and new values, the change."""
    change = _shares(live) - _shares(reference)
    measures = {
        "psi": population_stability_index(live, reference),
        "jensen_shannon": jensen_shannon(live, reference),
        MISSING: np.abs(change[..., 0]),
    }
    if column.edges is None:
        return measures | {NEW: change[..., -1]}
    return measures | {WASSERSTEIN: wasserstein(column, live, reference)}


def find_thresholds(
    columns: list[CountedColumn],
    floors: dict[str, float],
    unit: Unit,
    n_draws: int,
    false_alarms: float,
    seed: int,
    n_blocks: Mapping[str, int] | None = None,
) -> dict[str, dict[str, Measurement]]:
    """Measure columns, each with a threshold that few windows without drift exceed.

    Args:
        floors: by measure the smallest value that is reported.
        unit: what is drawn from the profile: rows, or whole blocks, whose rows then stay together.
        n_draws: number of simulated windows.
        false_alarms: share of windows without drift in which any measure of any column exceeds its threshold.
        n_blocks: by column how many blocks the window has; where it is not known, its rows tell by those of the
            reference.
    """
    if not columns:
        return {}
    by_chance = _simulate(columns, unit, n_draws, false_alarms, seed, n_blocks or {})
    return {
        column.name: {
            name: Measurement(float(value), max(by_chance[column.name, name], floors[name]))
            for name, value in measure_drift(column, live, blocks.sum(axis=0)).items()
        }
        for column, live, blocks in columns
    }


def _simulate(
    columns: list[CountedColumn], unit: Unit, n_draws: int, false_alarms: float, seed: int, n_blocks: Mapping[str, int]
) -> dict[tuple[str, str], float]:
    """The joint thresholds by column and measure.

    Windows and references of the same sizes as the real ones are drawn from the profile. Each measure is standardised
    by its mean and standard deviation over the draws. In these units all measures share one threshold: the value that
    their maximum exceeds in a share `false_alarms` of the draws. So it holds for all measures of all columns together
    (Westfall and Young 1993, "Resampling-Based Multiple Testing").
    """
    rng = np.random.default_rng(seed)
    drawn: dict[tuple[str, str], np.ndarray] = {}
    for column, live, blocks in columns:
        n_live, n_reference = int(live.sum()), int(blocks.sum())
        if unit == "rows":
            shares = _smooth(blocks.sum(axis=0))
            counts = [rng.multinomial(n, shares, n_draws) for n in (n_live, n_reference)]
        else:
            rng = np.random.default_rng(seed)  # the same blocks for all columns, which are correlated
            by_rows = max(1, round(n_live * len(blocks) / max(n_reference, 1)))
            uniform = np.full(len(blocks), 1 / len(blocks))
            sizes = (n_blocks.get(column.name, by_rows), len(blocks))
            counts = [rng.multinomial(n, uniform, n_draws) @ blocks for n in sizes]
        drawn |= {(column.name, name): values for name, values in measure_drift(column, *counts).items()}
    values = np.stack(list(drawn.values()))
    means, deviations = values.mean(axis=1), values.std(axis=1) + 1e-12
    maxima = ((values - means[:, None]) / deviations[:, None]).max(axis=0)
    return dict(zip(drawn, (means + np.quantile(maxima, 1 - false_alarms) * deviations).tolist(), strict=True))


def normal_quantile(false_alarms: float) -> float:
    """The number of standard errors that a value exceeds by chance with this probability."""
    return NormalDist().inv_cdf(1 - false_alarms)


def _smooth(counts: np.ndarray) -> np.ndarray:
    smoothed = counts + _SMOOTHING
    return smoothed / smoothed.sum(axis=-1, keepdims=True)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
