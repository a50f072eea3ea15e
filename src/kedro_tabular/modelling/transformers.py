"""scikit-learn transformers that are fast on a single row as well as on many.

Each follows scikit-learn's conventions and can be replaced by a stock transformer. Encoders are fitted by scikit-learn;
only `transform` is replaced. In a stock encoder its checks take longer than the work itself on a single row, and the
contract has made them already.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from itertools import repeat
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OrdinalEncoder, TargetEncoder


class LeanColumnTransformer(ColumnTransformer):
    """ColumnTransformer that transforms without joblib, checks of feature names and sparse stacking.

    Takes the same `(name, transformer, columns)` triples. Columns are lists of names, and every transformer returns a
    dense two-dimensional array.
    """

    def transform(self, X: pd.DataFrame | Mapping[str, np.ndarray], **_: Any) -> np.ndarray:
        """Features as float64 of shape (n_rows, n_features), from a table or, faster, from its columns by name."""
        blocks = []
        for _, transformer, columns in self.transformers_:
            if isinstance(transformer, ColumnwiseTransformer):
                blocks.append(transformer.transform_columns([_to_array(X[name]) for name in columns]))
            elif transformer != "drop":  # a stock transformer
                blocks.append(transformer.transform(pd.DataFrame({name: X[name] for name in columns})))
        return np.concatenate(blocks, axis=1, dtype=np.float64)


class ColumnwiseTransformer(ABC):
    """Transforms columns, so that a single row needs no table."""

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Features as float64 of shape (n_rows, n_features)."""
        return self.transform_columns([_to_array(X[name]) for name in X.columns])

    @abstractmethod
    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """Features from columns as arrays of shape (n_rows,), in the order of `fit`."""


def _to_array(column: pd.Series | np.ndarray) -> np.ndarray:
    if isinstance(column, pd.Series) and column.dtype.kind in "iuf":  # also pandas' nullable numbers
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(column)


class HashLookup(ColumnwiseTransformer):
    """Looks up values among an encoder's `categories_` in hash tables, which the first transform builds."""

    categories_: list[np.ndarray]

    def _positions(self, columns: list[np.ndarray]) -> np.ndarray:
        """Positions of shape (n_rows, n_columns): -1 for unseen values, and for missing ones if `fit` saw none."""
        positions = np.empty((len(columns[0]), len(columns)), dtype=np.intp)
        for j, ((table, missing_position), values) in enumerate(zip(self._tables(), columns, strict=True)):
            positions[:, j] = list(map(table.get, values, repeat(-1)))
            positions[pd.isna(values), j] = missing_position
        return positions

    def _tables(self) -> list[tuple[dict[Any, int], int]]:
        categories_of_tables, tables = self.__dict__.get("_lookup", (None, []))
        if categories_of_tables is not self.categories_:  # first call since the last fit
            tables = []
            for categories in self.categories_:
                missing = pd.isna(categories)
                table = {value: position for position, value in enumerate(categories[~missing])}
                # scikit-learn sorts a missing category to the end
                tables.append((table, len(table) if missing.any() else -1))
            self._lookup = (self.categories_, tables)
        return tables

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_lookup"}


class CategoryCodes(HashLookup, OrdinalEncoder):
    """OrdinalEncoder for few categories: their sorted positions as numbers, NaN for unseen and missing values."""

    def __init__(self) -> None:
        super().__init__(handle_unknown="use_encoded_value", unknown_value=np.nan)

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """Codes as float64 of shape (n_rows, n_columns)."""
        codes = self._positions(columns).astype(np.float64)
        for j, (table, _) in enumerate(self._tables()):
            unknown = (codes[:, j] < 0) | (codes[:, j] >= len(table))
            codes[unknown, j] = np.nan
        return codes


class TargetMeans(HashLookup, TargetEncoder):
    """TargetEncoder for many categories: the smoothed mean of the target, cross-fitted on training rows.

    Unseen categories get the overall mean. With more than two classes each column becomes one feature per class.
    """

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """Encodings as float64 of shape (n_rows, n_columns), times n_classes for more than two."""
        positions = self._positions(columns)
        overall = np.atleast_1d(self.target_mean_)
        encoded = np.empty((len(positions), len(self.encodings_)))
        for k, encodings in enumerate(self.encodings_):
            column, target = divmod(k, len(overall))
            # position -1 is that of the appended overall mean
            encoded[:, k] = np.append(encodings, overall[target])[positions[:, column]]
        return encoded


class StatelessTransformer(ColumnwiseTransformer, TransformerMixin, BaseEstimator):
    """Learns nothing from training rows but the names of their columns."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Store the names of the columns."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self


class Numbers(OneToOneFeatureMixin, StatelessTransformer):
    """Passes numbers on as float64; missing values stay NaN for the estimator to handle."""

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """The same numbers as float64 of shape (n_rows, n_columns)."""
        return np.stack(columns, axis=1).astype(np.float64, copy=False)


class Derived(StatelessTransformer):
    """A feature computed from several columns by a function, such as one of the project's features.py.

    The model stores only the import path `function`, whose last part is the feature's name; the function itself is in
    the archived code.
    """

    def __init__(self, function: str) -> None:
        self.function = function

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """The feature as float64 of shape (n_rows, 1); NaN where it is not finite."""
        arguments = [_missing_to_none(values) if values.dtype.kind == "O" else values for values in columns]
        with np.errstate(all="ignore"):
            feature = np.asarray(_import_function(self.function)(*arguments), dtype=np.float64)
        return np.where(np.isfinite(feature), feature, np.nan)[:, None]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The function's name."""
        return np.asarray([self.function.rpartition(".")[2]], dtype=object)


@cache
def _import_function(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def _missing_to_none(values: np.ndarray) -> np.ndarray:
    # missing categories are NaN in training and None in a request
    values = values.copy()
    values[pd.isna(values)] = None
    return values
