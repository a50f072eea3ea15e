"""The metric on rows with known outcomes, and its estimate on rows without."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..evaluation import LabelledScores, bootstrap, lower_is_better, make_statistic
from ..modelling import decide
from .profile import Calibration

_MAX_ROWS, _RESAMPLES = 2000, 60  # of the bootstrap for a standard error
_MIN_CLASS_ROWS = 50  # a sample has at least as many rows of each class, or it is not taken


class Quality(NamedTuple):
    """A metric of some rows, with its standard error. The fields are keys of monitoring.json."""

    rows: int
    metric: float
    error: float


def measure_quality(scored: LabelledScores, metric: str, n_bins: int, seed: int) -> Quality | None:
    """The metric of rows with known outcomes; None where it is not defined, as for a single class.

    The standard error is from a bootstrap. If there are many rows, it is that of a sample, scaled to all rows.
    """
    n_rows = len(scored.y_true)
    if n_rows < 2:
        return None
    value = float(make_statistic(metric, scored, n_bins)(np.ones((n_rows, 1)))[0])
    smallest_class = n_rows if scored.classes is None else np.unique(scored.y_true, return_counts=True)[1].min()
    sample = scored
    if n_rows > _MAX_ROWS and smallest_class * _MAX_ROWS / n_rows >= _MIN_CLASS_ROWS:
        sample = scored.select(np.random.default_rng(seed).choice(n_rows, _MAX_ROWS, replace=False))
    resampled = bootstrap([sample], [metric], _RESAMPLES, n_bins, seed)[metric][0]
    resampled = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or len(resampled) < 2:
        return None
    return Quality(n_rows, value, float(resampled.std()) * np.sqrt(len(sample.y_true) / n_rows))


def estimate_quality(
    scores: np.ndarray,
    classes: np.ndarray,
    calibration: Sequence[Calibration],
    metric: str,
    n_bins: int,
    seed: int,
    threshold: float | None = None,
) -> Quality | None:
    """The expected metric of a classification without any outcomes: confidence-based performance estimation.

    The probabilities are calibrated on the reference rows. A row of probability p then counts as p of a row of the
    class and 1 - p of another one (https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html).
    The estimate follows changes of the inputs. It can't detect a change of how outcomes depend on the inputs.

    Args:
        scores: probabilities, shape (n_rows, n_classes), with a class and a calibration for each column.
        n_bins: number of bins of equal width for the expected calibration error.
        seed: of the outcomes that are simulated for the standard error.
        threshold: of the model's decision.

    Raises:
        ParameterError: the metric is one of the project's that takes no weights.
    """
    if len(scores) < 2:
        return None
    calibrated, decisions = calibrate(scores, calibration), classes.take(decide(scores, threshold))
    all_outcomes = LabelledScores(
        np.repeat(classes, len(scores)), np.tile(scores, (len(classes), 1)), classes, np.tile(decisions, len(classes))
    )
    value = float(make_statistic(metric, all_outcomes, n_bins)(calibrated.T.reshape(-1, 1))[0])
    rng = np.random.default_rng(seed)
    sample = rng.choice(len(scores), min(len(scores), _MAX_ROWS), replace=False)
    outcomes = (rng.random(len(sample))[:, None] > np.cumsum(calibrated[sample], axis=1)[:, :-1]).sum(axis=1)
    simulated_rows = LabelledScores(classes.take(outcomes), scores[sample], classes, decisions[sample])
    simulated = measure_quality(simulated_rows, metric, n_bins, seed)
    if simulated is None or not np.isfinite(value):
        return None
    return Quality(len(scores), value, simulated.error * np.sqrt(len(sample) / len(scores)))


def calibrate(scores: np.ndarray, calibration: Sequence[Calibration]) -> np.ndarray:
    """The frequencies that the probabilities had in the reference rows, shape (n_rows, n_classes)."""
    lines = zip(scores.T, calibration, strict=True)
    frequencies = np.stack([np.interp(values, line.probability, line.frequency) for values, line in lines], axis=1)
    total = frequencies.sum(axis=1, keepdims=True)
    return np.where(total > 0, frequencies / np.where(total > 0, total, 1), 1 / scores.shape[1])


def metric_loss(metric: str, before: float, now: float) -> float:
    """How much worse a metric is; negative if it is better."""
    return now - before if lower_is_better(metric) else before - now
