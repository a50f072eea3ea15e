"""Fallbacks: small models for the rows that the guard does not leave to the estimator.

A fallback is a scikit-learn estimator on the contract's raw columns. Those here predict the target's mean by group.
"""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin


class Groups(BaseEstimator):
    """Means of the target by the columns of `by`; by all but the last where a group is too small, and so on.

    `by` names category columns, the most important one first; a group needs `min_rows` training rows.
    """

    def __init__(self, by: list[str], min_rows: int = 100) -> None:
        self.by = by
        self.min_rows = min_rows

    def _fit(self, X: pd.DataFrame, targets: np.ndarray) -> Self:
        missing = [name for name in self.by if name not in X.columns]
        if missing:
            raise ValueError(f"by: there is no column {', '.join(missing)}")
        self.overall_ = targets.mean(axis=0)
        self.keys_: list[np.ndarray] = []  # by depth: the values of each group, (n_groups, depth)
        self.means_: list[np.ndarray] = []  # by depth: the means of each group, (n_groups, n_targets)
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
        """Means of each row's group by no column, by the first, by the first two ...: (len(by) + 1, n_rows, n_targets).

        An unknown group has the means of the group one level up.
        """
        levels = [np.tile(self.overall_, (len(X), 1))]
        for depth, (keys, means) in enumerate(zip(self.keys_, self.means_, strict=True), start=1):
            table = {tuple(key): position for position, key in enumerate(keys)}
            rows = zip(*(X[name] for name in self.by[:depth]), strict=True)
            positions = np.fromiter((table.get(row, -1) for row in rows), dtype=int, count=len(X))
            group_means = np.vstack([means, self.overall_])[positions]
            levels.append(np.where(positions[:, None] >= 0, group_means, levels[-1]))
        return np.stack(levels)


class GroupRates(ClassifierMixin, Groups):
    """Fallback of a classification: the rate of each class in the row's group."""

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Learn the rates. Raises ValueError if a column of `by` is missing."""
        self.classes_, positions = np.unique(np.asarray(y), return_inverse=True)
        return self._fit(X, np.eye(len(self.classes_))[positions])

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Rates of shape (n_rows, n_classes)."""
        return self.means_by_depth(X)[-1]

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """The most frequent class of each row's group, shape (n_rows,)."""
        return self.classes_.take(self.predict_proba(X).argmax(axis=1))


class GroupMeans(RegressorMixin, Groups):
    """Fallback of a regression: the mean of the target in the row's group."""

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Learn the means. Raises ValueError if a column of `by` is missing."""
        return self._fit(X, np.asarray(y, dtype=float)[:, None])

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Means of shape (n_rows,)."""
        return self.means_by_depth(X)[-1][:, 0]
