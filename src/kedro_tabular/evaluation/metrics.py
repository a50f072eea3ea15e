"""Metrics by task, as plain functions of the truth and the scores."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from ..contract import Contract, classes_of, score_columns
from ..project import own_module

Metrics = dict[str, float]

_ERRORS = frozenset({"log_loss", "brier", "expected_calibration_error", "mae", "rmse"})
_CUSTOM = {"classification": "CLASSIFICATION", "regression": "REGRESSION"}  # what metrics.py of the project names them


class LabelledScores(NamedTuple):
    """Rows with their truth beside what a model says of them.

    Of a classification, the classes as text in `truth` (n_rows,), the probabilities in `scores` (n_rows,
    n_classes) and the classes in the order of the columns. Of a regression, numbers of shape (n_rows,) in
    both, and no classes.
    """

    truth: np.ndarray
    scores: np.ndarray
    classes: np.ndarray | None

    @classmethod
    def from_predictions(cls, predictions: pd.DataFrame, contract: Contract) -> "LabelledScores":
        """Read the target, `prediction` and `probability_<class>` as the packaged model names them."""
        truth = predictions[contract.target]
        if contract.task == "regression":
            return cls(truth.to_numpy(dtype=float), predictions["prediction"].to_numpy(dtype=float), None)
        classes = np.array(classes_of(predictions.columns), dtype=object)
        columns = score_columns(classes)
        return cls(truth.astype(str).to_numpy(dtype=object), predictions[columns].to_numpy(), classes)

    def select(self, rows: np.ndarray) -> "LabelledScores":
        """Only these rows, given as a mask or as positions."""
        return LabelledScores(self.truth[rows], self.scores[rows], self.classes)


def measure(scored: LabelledScores, n_bins: int) -> Metrics:
    """All metrics of the task by name."""
    if scored.classes is None:
        found, task = regression_metrics(scored.truth, scored.scores), "regression"
    else:
        found = classification_metrics(scored.truth, scored.scores, scored.classes, n_bins)
        task = "classification"
    return found | {name: compute_custom_metric(name, scored) for name in custom_metrics(task)}


def custom_metrics(task: str) -> dict[str, Callable[..., float]]:
    """The metrics of metrics.py of the project, by name."""
    return dict(getattr(own_module("metrics"), _CUSTOM[task], {}))


def compute_custom_metric(name: str, scored: LabelledScores) -> float:
    """One metric of metrics.py of the project. Raises KeyError where the task has none of that name."""
    if scored.classes is None:
        return float(custom_metrics("regression")[name](scored.truth, scored.scores))
    return float(custom_metrics("classification")[name](scored.truth, scored.scores, scored.classes))


def lower_is_better(metric: str) -> bool:
    """Whether a metric is an error."""
    return metric in _ERRORS or metric in getattr(own_module("metrics"), "ERRORS", ())


def classification_metrics(truth: np.ndarray, probabilities: np.ndarray, classes: np.ndarray, n_bins: int) -> Metrics:
    """Metrics of a classification with two classes or more.

    With two classes the last one, in sorted order, counts as the positive one. With more, `roc_auc` and
    `average_precision` are the mean over the classes that the truth has, each against the rest.

    Args:
        truth: class of each row, shape (n_rows,).
        probabilities: shape (n_rows, n_classes), columns in the order of `classes`.
        classes: the classes in sorted order.
        n_bins: bins of equal width for the expected calibration error.

    Raises:
        ValueError: the truth holds a class that is not among `classes`.
    """
    is_class = truth[:, None] == classes[None, :]
    unknown = sorted(set(truth[~is_class.any(axis=1)]))
    if unknown:
        raise ValueError(f"the test rows hold classes that the training rows do not: {unknown}")
    hits, scores = (is_class[:, 1], probabilities[:, 1]) if len(classes) == 2 else (is_class, probabilities)
    there = slice(None) if len(classes) == 2 else (slice(None), is_class.any(axis=0))
    squares = np.square(scores - hits)
    predicted = classes.take(probabilities.argmax(axis=1))
    return {
        "roc_auc": float(sk.roc_auc_score(hits[there], scores[there])),
        "average_precision": float(sk.average_precision_score(hits[there], scores[there])),
        "log_loss": float(-np.log(np.maximum(probabilities[is_class], np.finfo(float).eps)).mean()),
        "brier": float((squares if squares.ndim == 1 else squares.sum(axis=1)).mean()),
        "expected_calibration_error": expected_calibration_error(is_class, probabilities, n_bins),
        "accuracy": float(sk.accuracy_score(truth, predicted)),
        "f1_macro": float(sk.f1_score(truth, predicted, labels=classes, average="macro", zero_division=0)),
    }


def expected_calibration_error(is_class: np.ndarray, probabilities: np.ndarray, n_bins: int) -> float:
    """Mean distance of probability and frequency over bins of equal width, weighted by their rows.

    Of the positive class with two classes, of the most probable class with more (Guo et al. 2017, "On
    Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599).

    Args:
        is_class: whether a row is of a class, shape (n_rows, n_classes).
        probabilities: of the same shape.
        n_bins: number of bins between 0 and 1.
    """
    confidence, hit = confidences(is_class, probabilities)
    distance = np.bincount(bins_of(confidence, n_bins), weights=confidence - hit, minlength=n_bins)
    return float(np.abs(distance).sum() / len(hit))


def confidences(is_class: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The probability of the class that calibration is measured by, and whether a row is of it: (n_rows,)."""
    rows = np.arange(len(probabilities))
    chosen = np.ones(len(rows), dtype=int) if probabilities.shape[1] == 2 else probabilities.argmax(axis=1)
    return probabilities[rows, chosen], is_class[rows, chosen]


def bins_of(probability: np.ndarray, n_bins: int) -> np.ndarray:
    """Which of the bins of equal width between 0 and 1 each probability is in."""
    return np.minimum((probability * n_bins).astype(int), n_bins - 1)


def regression_metrics(truth: np.ndarray, predicted: np.ndarray) -> Metrics:
    """Mean absolute error, root mean squared error (both in the target's unit) and R2."""
    return {
        "mae": float(sk.mean_absolute_error(truth, predicted)),
        "rmse": float(sk.root_mean_squared_error(truth, predicted)),
        "r2": float(sk.r2_score(truth, predicted)),
    }
