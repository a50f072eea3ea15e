"""Small models that answer where the main one can't be trusted: the target's mean by group of some columns.

Each is a scikit-learn estimator on the contract's raw columns, and so is any other that conf/ names instead.
"""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin


class Groups(BaseEstimator):
    """Means of the target by the values of all columns of `by`, else of all but the last, and so on.

    Args:
        by: category columns, the one to hold on to longest first.
        min_rows: training rows that a group must have to count.
    """

    def __init__(self, by: list[str], min_rows: int = 100) -> None:
        self.by = by
        self.min_rows = min_rows

    def _fit(self, X: pd.DataFrame, targets: np.ndarray) -> Self:
        """Learn the means of `targets`, shape (n_rows, n_targets)."""
        absent = [name for name in self.by if name not in X.columns]
        if absent:
            raise ValueError(f"by: there is no column {', '.join(absent)}")
        self.overall_ = targets.mean(axis=0)
        self.keys_: list[np.ndarray] = []  # for each depth the values of its groups, (n_groups, depth)
        self.means_: list[np.ndarray] = []  # and their means, (n_groups, n_targets)
        values = pd.DataFrame(targets)
        for depth in range(1, len(self.by) + 1):
            names = self.by[:depth]
            groups = values.groupby([X[name].to_numpy(dtype=object) for name in names])
            means = groups.mean()[groups.size() >= self.min_rows]
            keys = [key if depth > 1 else (key,) for key in means.index]
            self.keys_.append(np.array(keys, dtype=object).reshape(len(keys), depth))
            self.means_.append(means.to_numpy())
        return self

    def means_by_depth(self, X: pd.DataFrame) -> np.ndarray:
        """What is known of each row from no column, from the first, from the first two and so on.

        Returns:
            Shape (len(by) + 1, n_rows, n_targets). A group that is not known has what its larger one has.
        """
        known = [np.tile(self.overall_, (len(X), 1))]
        for depth, (keys, means) in enumerate(zip(self.keys_, self.means_, strict=True), start=1):
            table = {tuple(key): position for position, key in enumerate(keys)}
            rows = zip(*(X[name] for name in self.by[:depth]), strict=True)
            found = np.fromiter((table.get(row, -1) for row in rows), dtype=int, count=len(X))
            known.append(np.where(found[:, None] >= 0, np.vstack([means, self.overall_])[found], known[-1]))
        return np.stack(known)


class GroupRates(ClassifierMixin, Groups):
    """For a classification: the rate of each class in the row's group."""

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Learn the rates. Raises ValueError for a column of `by` that is not there."""
        self.classes_, positions = np.unique(np.asarray(y), return_inverse=True)
        return self._fit(X, np.eye(len(self.classes_))[positions])

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Rates of shape (n_rows, n_classes)."""
        return self.means_by_depth(X)[-1]

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """The most frequent class of each row's group, shape (n_rows,)."""
        return self.classes_.take(self.predict_proba(X).argmax(axis=1))


class GroupMeans(RegressorMixin, Groups):
    """For a regression: the mean of the target in the row's group."""

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Learn the means. Raises ValueError for a column of `by` that is not there."""
        return self._fit(X, np.asarray(y, dtype=float)[:, None])

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Means of shape (n_rows,)."""
        return self.means_by_depth(X)[-1][:, 0]
