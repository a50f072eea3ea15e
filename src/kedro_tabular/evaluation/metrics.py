"""Metrics by task, as functions of the true values and the scores.

The same name is the same argument everywhere: `y_true`, the true value of each row (n_rows,); `probabilities`
(n_rows, n_classes), with columns in the order of `classes`, which are sorted; `is_class`, of the same shape, whether
a row is of a class; `n_bins`, the number of bins of equal width between 0 and 1.
"""

import numpy as np
from pydantic import Field
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier, DummyRegressor

from ..kedro_project import project_module
from ..parameters import Section
from .custom_metrics import compute_custom_metric, custom_metrics
from .labelled_scores import LabelledScores

Metrics = dict[str, float]

_ERRORS = frozenset({"log_loss", "brier", "expected_calibration_error", "mae", "rmse"})


class Evaluation(Section):
    """The section `evaluation` of the parameters."""

    calibration_bins: int = Field(ge=2)
    importance_rows: int = Field(ge=1)
    importance_repeats: int = Field(ge=1)
    alphas: list[float]


def score_baseline(scored: LabelledScores, train_target: np.ndarray) -> LabelledScores:
    """The same rows with the scores of a baseline that predicts the distribution of the training target, (n_rows,)."""
    if scored.classes is None:
        scores = DummyRegressor().fit(train_target, train_target).predict(scored.y_true)
    else:
        prior = DummyClassifier(strategy="prior").fit(train_target, train_target)
        scores = prior.predict_proba(scored.y_true)
    return scored._replace(scores=scores, decisions=None)


def compute_metrics(scored: LabelledScores, n_bins: int) -> Metrics:
    """All metrics of the task by name."""
    if scored.classes is None:
        metrics = regression_metrics(scored.y_true, scored.scores)
    else:
        metrics = classification_metrics(scored.y_true, scored.scores, scored.classes, n_bins, scored.predicted)
    return metrics | {name: compute_custom_metric(name, scored) for name in custom_metrics(scored.task)}


def lower_is_better(metric: str) -> bool:
    """Whether a metric is an error."""
    return metric in _ERRORS or metric in getattr(project_module("metrics"), "ERRORS", ())


def classification_metrics(
    y_true: np.ndarray, probabilities: np.ndarray, classes: np.ndarray, n_bins: int, predicted: np.ndarray | None = None
) -> Metrics:
    """Metrics of a classification. Raises ValueError if `y_true` has a class that is not in `classes`.

    `predicted` holds the predicted class of each row, (n_rows,); without it that is the most probable one. With two
    classes the second one is the positive class. With more, `roc_auc` and `average_precision` are one-vs-rest means
    over the classes present in `y_true`.
    """
    is_class = y_true[:, None] == classes
    unknown = sorted(set(y_true[~is_class.any(axis=1)]))
    if unknown:
        raise ValueError(f"the test rows have classes that the training rows do not: {unknown}")
    columns = 1 if len(classes) == 2 else is_class.any(axis=0)
    targets, scores = is_class[:, columns], probabilities[:, columns]
    by_row = metrics_by_row(is_class, probabilities)
    if predicted is None:
        predicted = classes.take(probabilities.argmax(axis=1))
    return {
        "roc_auc": float(sk.roc_auc_score(targets, scores)),
        "average_precision": float(sk.average_precision_score(targets, scores)),
        "log_loss": float(by_row["log_loss"].mean()),
        "brier": float(by_row["brier"].mean()),
        "expected_calibration_error": expected_calibration_error(is_class, probabilities, n_bins),
        "accuracy": float((predicted == y_true).mean()),
        "f1_macro": float(sk.f1_score(y_true, predicted, labels=classes, average="macro", zero_division=0)),
    }


def regression_metrics(y_true: np.ndarray, predicted: np.ndarray) -> Metrics:
    """Mean absolute error, root mean squared error (both in the target's unit) and R2."""
    return {
        "mae": float(sk.mean_absolute_error(y_true, predicted)),
        "rmse": float(sk.root_mean_squared_error(y_true, predicted)),
        "r2": float(sk.r2_score(y_true, predicted)),
    }


def expected_calibration_error(is_class: np.ndarray, probabilities: np.ndarray, n_bins: int) -> float:
    """Mean distance of probability and frequency over the bins, weighted by the number of rows.

    See Guo et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599.
    """
    y_true, y_prob = to_binary(is_class, probabilities)
    distance = np.bincount(bin_indices(y_prob, n_bins), weights=y_prob - y_true, minlength=n_bins)
    return float(np.abs(distance).sum() / len(y_true))


def metrics_by_row(is_class: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """The values whose mean over the rows is a metric, each of shape (n_rows,)."""
    squares = np.square(probabilities - is_class)
    return {
        "log_loss": -np.log(np.maximum(probabilities[is_class], np.finfo(float).eps)),
        "brier": squares[:, 1] if squares.shape[1] == 2 else squares.sum(axis=1),
    }


def to_binary(is_class: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The binary `y_true` and `y_prob` for calibration: of the second of two classes, or of each row's top class."""
    rows = np.arange(len(probabilities))
    columns = np.ones(len(rows), dtype=int) if probabilities.shape[1] == 2 else probabilities.argmax(axis=1)
    return is_class[rows, columns], probabilities[rows, columns]


def bin_indices(probability: np.ndarray, n_bins: int) -> np.ndarray:
    """The index of each probability's bin, of `n_bins` of equal width between 0 and 1."""
    return np.minimum((probability * n_bins).astype(int), n_bins - 1)
