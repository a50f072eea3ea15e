"""What estimators need around them: scaled numbers, classes as numbers; and the estimator inside of it."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags, get_tags


class NumberScaler(StandardScaler):
    """Scales all columns but those of 0 and 1: scaled, those of rare categories would be penalized least."""

    def fit(self, X: np.ndarray, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn means and standard deviations of X, of shape (n_rows, n_features)."""
        super().fit(X, y, sample_weight)
        is_binary = ((X == 0) | (X == 1)).all(axis=0)
        self.mean_[is_binary], self.scale_[is_binary] = 0, 1
        return self


class EncodedLabels(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """A classifier that is fitted on the positions of the classes, 0 to n_classes - 1, and predicts the classes."""

    def __init__(self, estimator: BaseEstimator) -> None:
        self.estimator = estimator

    def fit(self, X: np.ndarray, y: Any) -> Self:
        """Fit a clone of the estimator on features (n_rows, n_features) and the classes of the same rows."""
        self.classes_, positions = np.unique(np.asarray(y), return_inverse=True)
        self.estimator_ = clone(self.estimator).fit(X, positions)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of shape (n_rows, n_classes)."""
        return self.estimator_.predict_proba(X)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most probable class of each row, shape (n_rows,)."""
        return self.classes_.take(self.predict_proba(X).argmax(axis=1))

    def __sklearn_tags__(self) -> Tags:
        """The tags of the estimator, such as whether it accepts missing values."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


def unwrap(estimator: BaseEstimator) -> BaseEstimator:
    """The fitted estimator that conf/ names, inside of what `with_input_steps` put around it."""
    if isinstance(estimator, Pipeline):
        estimator = estimator[-1]
    return estimator.estimator_ if isinstance(estimator, EncodedLabels) else estimator
