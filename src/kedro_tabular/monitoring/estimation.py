"""How good a model is on rows whose outcome is known, and how good it can be expected to be on others."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..evaluation import LabelledScores, bootstrap, lower_is_better, prepare
from .profile import Calibration

_MOST_ROWS, _RESAMPLES = 2000, 60  # of the bootstrap behind a standard error
_FEWEST = 50  # rows of a class, or all rows are drawn from


class Quality(NamedTuple):
    """A metric of some rows, with its standard error."""

    rows: int
    metric: float
    error: float


def measure_quality(scored: LabelledScores, metric: str, n_bins: int, seed: int) -> Quality | None:
    """The metric of rows with known outcomes; None where they have none, as of a single class.

    The standard error is that of a bootstrap; of many rows, of a part of them and scaled to their number.
    """
    n_rows = len(scored.truth)
    if n_rows < 2:
        return None
    value = float(prepare(metric, scored, n_bins)(np.ones((n_rows, 1)))[0])
    part = scored
    if n_rows > _MOST_ROWS and _smallest_class(scored) * _MOST_ROWS / n_rows >= _FEWEST:
        part = scored.select(np.random.default_rng(seed).choice(n_rows, _MOST_ROWS, replace=False))
    drawn = bootstrap([part], [metric], _RESAMPLES, n_bins, seed)[metric][0]
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(drawn) < 2:
        return None
    return Quality(n_rows, value, float(drawn.std()) * np.sqrt(len(part.truth) / n_rows))


def _smallest_class(scored: LabelledScores) -> float:
    if scored.classes is None:
        return float("inf")
    return float(np.unique(scored.truth, return_counts=True)[1].min())


def estimate_quality(
    scores: np.ndarray, classes: np.ndarray, calibration: Sequence[Calibration], metric: str, n_bins: int, seed: int
) -> Quality | None:
    """The metric to be expected of a classification, without any outcome.

    A row of probability p is taken for p of a row of the class and 1 - p of one that is not, after the
    probabilities were calibrated on the reference rows (confidence-based performance estimation, as described
    at https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html). It holds as long as
    rows that look alike have outcomes alike: it sees what a shift of the rows does to the metric, and nothing
    of a change in how outcomes depend on rows.

    Args:
        scores: probabilities, shape (n_rows, n_classes).
        classes: in the order of the scores.
        calibration: of each class.
        metric: its name.
        n_bins: bins of equal width for the expected calibration error.
        seed: of the draws behind the standard error, which is that of outcomes drawn by these probabilities.
    """
    if len(scores) < 2:
        return None
    expected = calibrate(scores, calibration)
    truth = np.repeat(classes, len(scores))
    every = LabelledScores(truth, np.tile(scores, (len(classes), 1)), classes)
    value = float(prepare(metric, every, n_bins)(expected.T.reshape(-1, 1))[0])
    rng = np.random.default_rng(seed)
    part = rng.choice(len(scores), min(len(scores), _MOST_ROWS), replace=False)
    drawn = (rng.random(len(part))[:, None] > np.cumsum(expected[part], axis=1)[:, :-1]).sum(axis=1)
    simulated = measure_quality(LabelledScores(classes.take(drawn), scores[part], classes), metric, n_bins, seed)
    if simulated is None or not np.isfinite(value):
        return None
    return Quality(len(scores), value, simulated.error * np.sqrt(len(part) / len(scores)))


def calibrate(scores: np.ndarray, calibration: Sequence[Calibration]) -> np.ndarray:
    """Probabilities as often as they come true in the reference rows, shape (n_rows, n_classes)."""
    found = np.stack(
        [np.interp(scores[:, k], one.probability, one.frequency) for k, one in enumerate(calibration)], axis=1
    )
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0, found / np.where(total > 0, total, 1), 1 / scores.shape[1])


def worsening(metric: str, before: float, now: float) -> float:
    """By how much a metric has become worse; negative where it has become better."""
    return now - before if lower_is_better(metric) else before - now
