"""A baseline that does not look at a row: it predicts the distribution of the training target."""

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from .metrics import LabelledScores

BASELINE = "dummy_"  # before the name of a metric of the baseline


def score_baseline(scored: LabelledScores, train_target: np.ndarray) -> LabelledScores:
    """The same rows as the baseline scores them.

    Args:
        scored: rows with their truth.
        train_target: the target of the training rows, shape (n_rows,).
    """
    if scored.classes is None:
        scores = DummyRegressor().fit(train_target, train_target).predict(scored.truth)
    else:
        prior = DummyClassifier(strategy="prior").fit(train_target, train_target)
        scores = prior.predict_proba(scored.truth)
    return scored._replace(scores=scores)
