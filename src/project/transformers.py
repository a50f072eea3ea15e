"""Scikit-learn transformers that cost little on one row and on many.

Each follows scikit-learn's contract and can be swapped for a stock part. Fitting is scikit-learn's own; only
`transform` is replaced, where the per-call checks of every stock encoder cost more than the work itself on
a single row and repeat what the table contract has already checked.
"""

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OrdinalEncoder, TargetEncoder


class LeanColumnTransformer(ColumnTransformer):
    """ColumnTransformer that transforms without joblib, feature-name bookkeeping or sparse stacking.

    Takes the same `(name, transformer, columns)` triples. Columns are lists of names, input is a DataFrame
    whose columns may stand in any order, and every transformer returns a dense two-dimensional array.
    """

    def transform(self, X: pd.DataFrame, **_: Any) -> np.ndarray:
        """Features as float64 of shape (n_rows, n_features)."""
        blocks = [
            transformer.transform(X[columns])
            for _, transformer, columns in self.transformers_
            if transformer != "drop"
        ]
        return np.concatenate(blocks, axis=1, dtype=np.float64)


class _HashLookup:
    """Finds the position of each value among an encoder's `categories_` through hash tables.

    The tables are made at the first transform and are no part of the stored state.
    """

    categories_: list[np.ndarray]

    def _positions(self, X: pd.DataFrame) -> np.ndarray:
        """Positions of shape (n_rows, n_columns): -1 for unseen, and for missing if fitted without any."""
        positions = np.empty(X.shape, dtype=np.intp)
        for j, (index, missing_position) in enumerate(self._tables()):
            values = X.iloc[:, j].to_numpy(dtype=object)
            positions[:, j] = index.get_indexer(pd.Index(values, dtype=object, copy=False))
            positions[pd.isna(values), j] = missing_position
        return positions

    def _tables(self) -> list[tuple[pd.Index, int]]:
        made_from, tables = self.__dict__.get("_lookup", (None, []))
        if made_from is not self.categories_:  # first call since the last fit
            tables = []
            for categories in self.categories_:
                missing = pd.isna(categories)
                index = pd.Index(categories[~missing], dtype=object)
                # scikit-learn sorts a missing category to the end
                tables.append((index, len(index) if missing.any() else -1))
            self._lookup = (self.categories_, tables)
        return tables

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_lookup"}


class CategoryCodes(_HashLookup, OrdinalEncoder):
    """OrdinalEncoder for few categories: sorted order as numbers, unseen and missing values as NaN."""

    def __init__(self) -> None:
        super().__init__(handle_unknown="use_encoded_value", unknown_value=np.nan)

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Codes as float64 of shape (n_rows, n_columns)."""
        codes = self._positions(X).astype(np.float64)
        for j, (index, _) in enumerate(self._tables()):
            outside = (codes[:, j] < 0) | (codes[:, j] >= len(index))
            codes[outside, j] = np.nan
        return codes


class TargetMeans(_HashLookup, TargetEncoder):
    """TargetEncoder for many categories: the smoothed mean of the target, cross-fitted on training rows.

    Unseen categories get the overall mean. With more than two classes each column becomes one a class.
    """

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Encodings as float64 of shape (n_rows, n_columns), times n_classes when those are over two."""
        positions = self._positions(X)
        overall = np.atleast_1d(self.target_mean_)
        encoded = np.empty((len(X), len(self.encodings_)))
        for k, encodings in enumerate(self.encodings_):
            column, target = divmod(k, len(overall))
            found = positions[:, column]
            # position -1 reads the appended overall mean
            encoded[:, k] = np.append(encodings, overall[target])[found]
        return encoded


class Numbers(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Passes numbers on as float64; missing values stay NaN for the estimator to handle."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Remember the names of the columns; numbers need no learning."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """The same numbers as float64 of shape (n_rows, n_columns)."""
        return X.to_numpy(dtype=np.float64, na_value=np.nan)


class DatetimeParts(TransformerMixin, BaseEstimator):
    """Splits date-times into numbers that repeat (hour, weekday …) or grow (year); missing becomes NaN.

    Args:
        parts: which of hour (with minutes as its fraction), weekday (Monday 0), day, month,
            day_of_year and year to make from each column.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("hour", "weekday", "day", "month", "day_of_year", "year")

    def __init__(self, parts: tuple[str, ...] | list[str] = ("hour", "weekday")) -> None:
        self.parts = parts

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Check the parts' names. Raises ValueError for an unknown one."""
        unknown = sorted(set(self.parts) - set(self.PARTS))
        if unknown:
            raise ValueError(f"unknown date-time parts {unknown}; there are {list(self.PARTS)}")
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Parts as float64 of shape (n_rows, n_columns * n_parts)."""
        made = [
            _datetime_part(X[name].to_numpy(dtype="datetime64[s]"), part)
            for name in self.feature_names_in_
            for part in self.parts
        ]
        return np.stack(made, axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names such as `time_hour`, in the order of the columns of `transform`."""
        return np.asarray([f"{n}_{p}" for n in self.feature_names_in_ for p in self.parts], dtype=object)


def _datetime_part(seconds: np.ndarray, part: str) -> np.ndarray:
    # Arithmetic on datetime64 takes microseconds for one row, pandas' `.dt` a tenth of a millisecond.
    days = seconds.astype("datetime64[D]")
    if part == "hour":
        made = (seconds - days).astype(np.float64) / 3600
    elif part == "weekday":
        made = ((days.astype(np.int64) + 3) % 7).astype(np.float64)  # 1970-01-01 was a Thursday
    elif part == "day":
        made = (days - days.astype("datetime64[M]")).astype(np.float64) + 1
    elif part == "month":
        made = (days.astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.float64)
    elif part == "day_of_year":
        made = (days - days.astype("datetime64[Y]")).astype(np.float64) + 1
    else:
        made = days.astype("datetime64[Y]").astype(np.float64) + 1970
    return np.where(np.isnat(seconds), np.nan, made)
