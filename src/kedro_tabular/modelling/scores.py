"""The scores of an estimator, in one shape for every task, and the class that is predicted from them."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .threads import threads_for_prediction


def score(estimator: BaseEstimator, rows: Any) -> np.ndarray:
    """Probabilities of shape (n_rows, n_classes); of a regression the predictions, of shape (n_rows, 1)."""
    with threads_for_prediction(len(rows)):
        if hasattr(estimator, "predict_proba"):
            return estimator.predict_proba(rows)
        return estimator.predict(rows).reshape(-1, 1)


def decide(probabilities: np.ndarray, threshold: float | None) -> np.ndarray:
    """The position of each row's predicted class, shape (n_rows,), from probabilities of shape (n_rows, n_classes).

    It is the most probable class; with another threshold than 0.5 the second of two classes, if its probability is
    above it, or else the first.
    """
    if threshold is None or threshold == 0.5:  # also where two probabilities differ only by rounding
        return probabilities.argmax(axis=1)
    return (probabilities[:, 1] > threshold).astype(np.intp)
