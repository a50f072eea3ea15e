"""One column for each category, for estimators that take a code for an amount."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from .transformers import HashLookup


class OneHot(HashLookup, TransformerMixin, BaseEstimator):
    """A column of 0 and 1 for each category, and for missing values if there are any.

    Categories with fewer than `min_rows` training rows share the column `rare`; unseen ones have 0 in all columns.
    """

    _RARE, _MISSING = "(rare)", "(missing)"

    def __init__(self, min_rows: int = 1) -> None:
        self.min_rows = min_rows

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Learn the categories and how often each occurs."""
        self.categories_: list[np.ndarray] = []
        self.outputs_: list[np.ndarray] = []  # by column: the output column of each category
        names: list[str] = []
        for name in X:
            counts = X[name].value_counts(dropna=False)
            frequent = sorted(value for value in counts.index[counts >= self.min_rows] if not pd.isna(value))
            rare = sorted(value for value in counts.index[counts < self.min_rows] if not pd.isna(value))
            missing = [None] if counts.index.isna().any() else []
            self.categories_.append(np.array([*frequent, *rare, *missing], dtype=object))
            first, last = len(names), len(names) + len(frequent)
            names += [f"{name}={value}" for value in frequent]
            names += [f"{name}={self._RARE}"] * bool(rare) + [f"{name}={self._MISSING}"] * bool(missing)
            outputs = [*range(first, last), *[last] * len(rare), *[last + bool(rare)] * len(missing)]
            self.outputs_.append(np.array([*outputs, -1], dtype=np.intp))  # the last one for unseen values
        self.names_ = np.array(names, dtype=object)
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """0 and 1 as float64 of shape (n_rows, n_outputs)."""
        encoded = np.zeros((len(columns[0]), len(self.names_) + 1))
        positions, rows = self._positions(columns), np.arange(len(encoded))
        for j, outputs in enumerate(self.outputs_):
            encoded[rows, outputs[positions[:, j]]] = 1
        return encoded[:, :-1]  # the last column collects unseen values

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names such as `colour=red`, in the order of the columns of `transform`."""
        return self.names_
