"""Bootstrap intervals of metrics, paired: all models are evaluated on the same resamples.

Percentile intervals (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13). A resample is
given by how often each row was drawn, so the rows of a metric are sorted once for all resamples.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from .custom_metrics import compute_custom_metric, custom_metrics
from .labelled_scores import LabelledScores
from .metrics import bin_indices, metrics_by_row, to_binary

# From the weights of the rows, shape (n_rows, n_resamples), to the metric of each resample.
Statistic = Callable[[np.ndarray], np.ndarray]

_MAX_CELLS = 250_000  # of the weights in memory at a time


def bootstrap(
    models: Sequence[LabelledScores],
    names: Sequence[str],
    n_resamples: int,
    n_bins: int,
    seed: int,
    clusters: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The metrics of each model on resamples of the rows; `models` are each model's scores of the same rows in order.

    `clusters` numbers the cluster of each row from 0, shape (n_rows,): whole clusters are drawn, because rows of one
    cluster, such as a day, are not independent (Davison & Hinkley 1997, "Bootstrap Methods", section 3.8).

    Returns:
        An array (n_models, n_resamples) by metric; NaN where it is not defined, as for a single class.
    """
    statistics = {name: [make_statistic(name, scored, n_bins) for scored in models] for name in names}
    values: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for weights in _resample(len(models[0].y_true), n_resamples, seed, clusters):
        for name, of_models in statistics.items():
            values[name].append(np.stack([statistic(weights) for statistic in of_models]))
    return {name: np.concatenate(parts, axis=1) for name, parts in values.items()}


def make_statistic(name: str, scored: LabelledScores, n_bins: int) -> Statistic:
    """The metric as a function of the weights. Raises KeyError if the task has no metric of that name."""
    if name in custom_metrics(scored.task):
        return _custom(name, scored)
    if scored.classes is None:
        return _REGRESSION[name](scored.y_true, scored.scores)
    if name in _DECISION:
        return _DECISION[name](scored.is_class, scored.is_predicted)
    return _CLASSIFICATION[name](scored.is_class, scored.scores, n_bins)


def metric_names(task: str) -> list[str]:
    """The metrics of a task."""
    metrics = [*_REGRESSION] if task == "regression" else [*_CLASSIFICATION, *_DECISION]
    return [*metrics, *custom_metrics(task)]


def _resample(n_rows: int, n_resamples: int, seed: int, clusters: np.ndarray | None) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    n_units = n_rows if clusters is None else int(clusters.max()) + 1
    batch = max(1, _MAX_CELLS // n_rows)
    for first in range(0, n_resamples, batch):
        size = min(batch, n_resamples - first)
        drawn = rng.integers(0, n_units, (n_units, size)) * size + np.arange(size)
        counts = np.bincount(drawn.ravel(), minlength=n_units * size).reshape(n_units, size).astype(np.float64)
        yield counts if clusters is None else counts[clusters]


def _custom(name: str, scored: LabelledScores) -> Statistic:
    """A metric of the project: computed with the weights of each resample in turn."""
    return lambda weights: np.array([compute_custom_metric(name, scored, of_rows) for of_rows in weights.T])


def _mean(values: np.ndarray) -> Statistic:
    return lambda weights: values @ weights / weights.sum(axis=0)


def _roc_auc(positive: np.ndarray, total: np.ndarray) -> np.ndarray:
    negative = total - positive
    below = np.cumsum(negative, axis=0) - negative / 2
    return (below * positive).sum(axis=0) / (positive.sum(axis=0) * negative.sum(axis=0))


def _average_precision(positive: np.ndarray, total: np.ndarray) -> np.ndarray:
    precision = np.cumsum(positive, axis=0) / np.maximum(np.cumsum(total, axis=0), 1)
    return (precision * positive).sum(axis=0) / positive.sum(axis=0)


def _ranked(
    y_true: np.ndarray, scores: np.ndarray, metric: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Statistic:
    """A metric of the weights of the positive and of all rows at each distinct score, in ascending order."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])  # of each run of equal scores
    is_positive = y_true[order].astype(float)[:, None]

    def statistic(weights: np.ndarray) -> np.ndarray:
        drawn = weights[order]
        positive = np.add.reduceat(drawn * is_positive, starts, axis=0)
        with np.errstate(invalid="ignore"):
            return metric(positive, np.add.reduceat(drawn, starts, axis=0))

    return statistic


def _by_class(metric: Callable[[np.ndarray, np.ndarray], np.ndarray], sign: int) -> Callable[..., Statistic]:
    """A metric of the ranking by `sign * score`: of the positive class, or the one-vs-rest mean over the classes."""

    def make(is_class: np.ndarray, probabilities: np.ndarray, n_bins: int) -> Statistic:
        columns = [1] if is_class.shape[1] == 2 else range(is_class.shape[1])
        statistics = [_ranked(is_class[:, k], sign * probabilities[:, k], metric) for k in columns]

        def mean(weights: np.ndarray) -> np.ndarray:
            values = np.array([statistic(weights) for statistic in statistics])
            with np.errstate(invalid="ignore"):  # NaN where the metric is defined for no class
                return np.nansum(values, axis=0) / (~np.isnan(values)).sum(axis=0)

        return mean

    return make


def _row_mean(name: str) -> Callable[..., Statistic]:
    return lambda is_class, probabilities, n_bins: _mean(metrics_by_row(is_class, probabilities)[name])


def _calibration_error(is_class: np.ndarray, probabilities: np.ndarray, n_bins: int) -> Statistic:
    y_true, y_prob = to_binary(is_class, probabilities)
    in_bin = (bin_indices(y_prob, n_bins) == np.arange(n_bins)[:, None]).astype(float)
    distance = in_bin * (y_prob - y_true)
    return lambda weights: np.abs(distance @ weights).sum(axis=0) / weights.sum(axis=0)


def _accuracy(is_class: np.ndarray, is_predicted: np.ndarray) -> Statistic:
    return _mean((is_class & is_predicted).any(axis=1).astype(float))


def _f1_macro(is_class: np.ndarray, is_predicted: np.ndarray) -> Statistic:
    hits, sizes = (is_class & is_predicted).T.astype(float), (is_class * 1.0 + is_predicted).T
    return lambda weights: (2 * (hits @ weights) / np.maximum(sizes @ weights, 1)).mean(axis=0)


def _rmse(y_true: np.ndarray, predicted: np.ndarray) -> Statistic:
    mean = _mean(np.square(y_true - predicted))
    return lambda weights: np.sqrt(mean(weights))


def _r2(y_true: np.ndarray, predicted: np.ndarray) -> Statistic:
    centred = y_true - y_true.mean()  # for numerical precision
    error, square, mean = _mean(np.square(y_true - predicted)), _mean(np.square(centred)), _mean(centred)

    def statistic(weights: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1 - error(weights) / (square(weights) - np.square(mean(weights)))

    return statistic


_CLASSIFICATION: dict[str, Callable[[np.ndarray, np.ndarray, int], Statistic]] = {
    "roc_auc": _by_class(_roc_auc, 1),
    "average_precision": _by_class(_average_precision, -1),
    "log_loss": _row_mean("log_loss"),
    "brier": _row_mean("brier"),
    "expected_calibration_error": _calibration_error,
}
# of the predicted classes, not of the probabilities
_DECISION: dict[str, Callable[[np.ndarray, np.ndarray], Statistic]] = {"accuracy": _accuracy, "f1_macro": _f1_macro}
_REGRESSION: dict[str, Callable[[np.ndarray, np.ndarray], Statistic]] = {
    "mae": lambda y_true, predicted: _mean(np.abs(y_true - predicted)),
    "rmse": _rmse,
    "r2": _r2,
}
