"""The scores of an estimator, in one shape for every task."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator


def score(estimator: BaseEstimator, rows: Any) -> np.ndarray:
    """Probabilities of shape (n_rows, n_classes); of a regression the predictions, of shape (n_rows, 1)."""
    if hasattr(estimator, "predict_proba"):
        return estimator.predict_proba(rows)
    return estimator.predict(rows).reshape(-1, 1)
