"""Bootstrap intervals of metrics, paired: every model is measured on the same drawn rows.

Percentile intervals (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13). A metric is
prepared once, its rows sorted, and then taken of many resamples together: a resample is no more than how
often each row was drawn.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from .metrics import LabelledScores, bins_of, compute_custom_metric, confidences, custom_metrics

# From how often each row was drawn, shape (n_rows, n_resamples), to the metric of each resample.
Statistic = Callable[[np.ndarray], np.ndarray]

_CELLS = 250_000  # drawn counts held at a time


def bootstrap(
    models: Sequence[LabelledScores], names: Sequence[str], n_resamples: int, n_bins: int, seed: int
) -> dict[str, np.ndarray]:
    """The metrics of each model on resampled rows.

    Args:
        models: the same rows in the same order, as each model scores them.
        names: the metrics.
        n_resamples: how often the rows are drawn.
        n_bins: bins of equal width for the expected calibration error.
        seed: of the draws.

    Returns:
        By metric an array (n_models, n_resamples); NaN where a resample has none, as of a single class.
    """
    statistics = {name: [prepare(name, scored, n_bins) for scored in models] for name in names}
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for counts in _draws(len(models[0].truth), n_resamples, seed):
        for name, of_models in statistics.items():
            found[name].append(np.stack([statistic(counts) for statistic in of_models]))
    return {name: np.concatenate(parts, axis=1) for name, parts in found.items()}


def prepare(name: str, scored: LabelledScores, n_bins: int) -> Statistic:
    """The metric of that name as a function of how often each row counts.

    Raises:
        KeyError: the task has no such metric.
    """
    if name in custom_metrics("regression" if scored.classes is None else "classification"):
        return _own(name, scored)
    if scored.classes is None:
        return _REGRESSION[name](scored.truth, scored.scores)
    is_class = scored.truth[:, None] == scored.classes[None, :]
    return _CLASSIFICATION[name](is_class, scored.scores, n_bins)


def _draws(n_rows: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS // n_rows)
    for first in range(0, n_resamples, at_once):
        size = min(at_once, n_resamples - first)
        drawn = rng.integers(0, n_rows, (n_rows, size)) * size + np.arange(size)
        counts = np.bincount(drawn.ravel(), minlength=n_rows * size)
        yield counts.reshape(n_rows, size).astype(np.float64)


def _own(name: str, scored: LabelledScores) -> Statistic:
    """A metric of which nothing is known: measured on the rows of one resample after the other."""
    rows = np.arange(len(scored.truth))
    return lambda counts: np.array(
        [compute_custom_metric(name, scored.select(np.repeat(rows, drawn))) for drawn in counts.T.astype(int)]
    )


def _mean(values: np.ndarray) -> Statistic:
    return lambda counts: values @ counts / counts.sum(axis=0)


def _roc_auc(hits: np.ndarray, scores: np.ndarray) -> Statistic:
    order = np.argsort(scores, kind="stable")
    starts = _ties(scores[order])
    hits = hits[order].astype(float)[:, None]

    def statistic(counts: np.ndarray) -> np.ndarray:
        drawn = counts[order]
        positive = np.add.reduceat(drawn * hits, starts, axis=0)
        negative = np.add.reduceat(drawn, starts, axis=0) - positive
        below = np.cumsum(negative, axis=0) - negative / 2
        with np.errstate(invalid="ignore"):
            return (below * positive).sum(axis=0) / (positive.sum(axis=0) * negative.sum(axis=0))

    return statistic


def _average_precision(hits: np.ndarray, scores: np.ndarray) -> Statistic:
    order = np.argsort(-scores, kind="stable")
    starts = _ties(scores[order])
    hits = hits[order].astype(float)[:, None]

    def statistic(counts: np.ndarray) -> np.ndarray:
        drawn = counts[order]
        positive = np.add.reduceat(drawn * hits, starts, axis=0)
        taken = np.cumsum(np.add.reduceat(drawn, starts, axis=0), axis=0)
        precision = np.cumsum(positive, axis=0) / np.maximum(taken, 1)
        with np.errstate(invalid="ignore"):
            return (precision * positive).sum(axis=0) / positive.sum(axis=0)

    return statistic


def _ties(ordered: np.ndarray) -> np.ndarray:
    """Where each run of equal scores starts."""
    return np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def _by_class(statistic: Callable[[np.ndarray, np.ndarray], Statistic]) -> Callable[..., Statistic]:
    """Of the last class where there are two, of more the mean over those drawn, each against the rest."""

    def prepared(is_class: np.ndarray, probabilities: np.ndarray, n_bins: int) -> Statistic:
        shown = [1] if is_class.shape[1] == 2 else range(is_class.shape[1])
        each = [statistic(is_class[:, k], probabilities[:, k]) for k in shown]

        def mean(counts: np.ndarray) -> np.ndarray:
            values = np.array([one(counts) for one in each])
            with np.errstate(invalid="ignore"):  # none is drawn that could be told from others
                return np.nansum(values, axis=0) / (~np.isnan(values)).sum(axis=0)

        return mean

    return prepared


def _log_loss(is_class: np.ndarray, probabilities: np.ndarray, n_bins: int) -> Statistic:
    return _mean(-np.log(np.maximum(probabilities[is_class], np.finfo(float).eps)))


def _brier(is_class: np.ndarray, probabilities: np.ndarray, n_bins: int) -> Statistic:
    squares = np.square(probabilities - is_class)
    return _mean(squares[:, 1] if squares.shape[1] == 2 else squares.sum(axis=1))


def _accuracy(is_class: np.ndarray, probabilities: np.ndarray, n_bins: int) -> Statistic:
    return _mean(is_class[np.arange(len(is_class)), probabilities.argmax(axis=1)].astype(float))


def _calibration_error(is_class: np.ndarray, probabilities: np.ndarray, n_bins: int) -> Statistic:
    confidence, hit = confidences(is_class, probabilities)
    in_bin = (bins_of(confidence, n_bins) == np.arange(n_bins)[:, None]).astype(float)
    distance = in_bin * (confidence - hit)
    return lambda counts: np.abs(distance @ counts).sum(axis=0) / counts.sum(axis=0)


def _f1_macro(is_class: np.ndarray, probabilities: np.ndarray, n_bins: int) -> Statistic:
    predicted = probabilities.argmax(axis=1)[:, None] == np.arange(is_class.shape[1])
    hits, sizes = (is_class & predicted).T.astype(float), (is_class * 1.0 + predicted).T
    return lambda counts: (2 * (hits @ counts) / np.maximum(sizes @ counts, 1)).mean(axis=0)


def _rmse(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    mean = _mean(np.square(truth - predicted))
    return lambda counts: np.sqrt(mean(counts))


def _r2(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    centred = truth - truth.mean()  # for the sake of precision
    error, square, mean = _mean(np.square(truth - predicted)), _mean(np.square(centred)), _mean(centred)

    def statistic(counts: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1 - error(counts) / (square(counts) - np.square(mean(counts)))

    return statistic


_CLASSIFICATION: dict[str, Callable[[np.ndarray, np.ndarray, int], Statistic]] = {
    "roc_auc": _by_class(_roc_auc),
    "average_precision": _by_class(_average_precision),
    "log_loss": _log_loss,
    "brier": _brier,
    "expected_calibration_error": _calibration_error,
    "accuracy": _accuracy,
    "f1_macro": _f1_macro,
}
_REGRESSION: dict[str, Callable[[np.ndarray, np.ndarray], Statistic]] = {
    "mae": lambda truth, predicted: _mean(np.abs(truth - predicted)),
    "rmse": _rmse,
    "r2": _r2,
}


def metric_names(task: str) -> list[str]:
    """The metrics of a task."""
    return [*(_REGRESSION if task == "regression" else _CLASSIFICATION), *custom_metrics(task)]
