"""Scikit-learn transformers that cost little on one row and on many.

Each follows scikit-learn's contract and can be swapped for a stock part. Fitting is scikit-learn's own; only
`transform` is replaced, where the per-call checks of every stock encoder cost more than the work itself on
a single row and repeat what the table contract has already checked.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from itertools import repeat
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OrdinalEncoder, TargetEncoder


class LeanColumnTransformer(ColumnTransformer):
    """ColumnTransformer that transforms without joblib, feature-name bookkeeping or sparse stacking.

    Takes the same `(name, transformer, columns)` triples. Columns are lists of names, and every transformer
    returns a dense two-dimensional array.
    """

    def transform(self, X: pd.DataFrame | Mapping[str, np.ndarray], **_: Any) -> np.ndarray:
        """Features as float64 of shape (n_rows, n_features).

        Args:
            X: a table, or its columns as arrays by name, which spares the making of one; in any order.
        """
        blocks = []
        for _, transformer, columns in self.transformers_:
            if isinstance(transformer, _Columnwise):
                blocks.append(transformer.transform_columns([_array(X[name]) for name in columns]))
            elif transformer != "drop":  # a stock transformer
                blocks.append(transformer.transform(pd.DataFrame({name: X[name] for name in columns})))
        return np.concatenate(blocks, axis=1, dtype=np.float64)


class _Columnwise(ABC):
    """Transforms columns as plain arrays; a table is taken apart first."""

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Features as float64 of shape (n_rows, n_features)."""
        return self.transform_columns([_array(X[name]) for name in X.columns])

    @abstractmethod
    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """The same from the columns as arrays of shape (n_rows,), in the order they were fitted in."""


def _array(column: pd.Series | np.ndarray) -> np.ndarray:
    if isinstance(column, pd.Series) and column.dtype.kind in "iuf":  # nullable numbers, too
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(column)


class _HashLookup(_Columnwise):
    """Finds the position of each value among an encoder's `categories_` through hash tables.

    The tables are made at the first transform and are no part of the stored state.
    """

    categories_: list[np.ndarray]

    def _positions(self, columns: list[np.ndarray]) -> np.ndarray:
        """Positions of shape (n_rows, n_columns): -1 for unseen, and for missing if fitted without any."""
        positions = np.empty((len(columns[0]), len(columns)), dtype=np.intp)
        for j, ((table, missing_position), values) in enumerate(zip(self._tables(), columns, strict=True)):
            positions[:, j] = list(map(table.get, values, repeat(-1)))
            positions[pd.isna(values), j] = missing_position
        return positions

    def _tables(self) -> list[tuple[dict[Any, int], int]]:
        made_from, tables = self.__dict__.get("_lookup", (None, []))
        if made_from is not self.categories_:  # first call since the last fit
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


class CategoryCodes(_HashLookup, OrdinalEncoder):
    """OrdinalEncoder for few categories: sorted order as numbers, unseen and missing values as NaN."""

    def __init__(self) -> None:
        super().__init__(handle_unknown="use_encoded_value", unknown_value=np.nan)

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """Codes as float64 of shape (n_rows, n_columns)."""
        codes = self._positions(columns).astype(np.float64)
        for j, (table, _) in enumerate(self._tables()):
            outside = (codes[:, j] < 0) | (codes[:, j] >= len(table))
            codes[outside, j] = np.nan
        return codes


class TargetMeans(_HashLookup, TargetEncoder):
    """TargetEncoder for many categories: the smoothed mean of the target, cross-fitted on training rows.

    Unseen categories get the overall mean. With more than two classes each column becomes one a class.
    """

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """Encodings as float64 of shape (n_rows, n_columns), times n_classes when those are over two."""
        positions = self._positions(columns)
        overall = np.atleast_1d(self.target_mean_)
        encoded = np.empty((len(positions), len(self.encodings_)))
        for k, encodings in enumerate(self.encodings_):
            column, target = divmod(k, len(overall))
            found = positions[:, column]
            # position -1 reads the appended overall mean
            encoded[:, k] = np.append(encodings, overall[target])[found]
        return encoded


class Numbers(_Columnwise, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Passes numbers on as float64; missing values stay NaN for the estimator to handle."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Remember the names of the columns; numbers need no learning."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """The same numbers as float64 of shape (n_rows, n_columns)."""
        return np.stack(columns, axis=1).astype(np.float64, copy=False)


class DatetimeParts(_Columnwise, TransformerMixin, BaseEstimator):
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

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """Parts as float64 of shape (n_rows, n_columns * n_parts)."""
        seconds = [values.astype("datetime64[s]") for values in columns]
        return np.stack([_datetime_part(times, part) for times in seconds for part in self.parts], axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names such as `time_hour`, in the order of the columns of `transform`."""
        return np.asarray([f"{n}_{p}" for n in self.feature_names_in_ for p in self.parts], dtype=object)


class Derived(_Columnwise, TransformerMixin, BaseEstimator):
    """A feature that a function of several columns makes, such as one of the project's features.py.

    Only the function's import path is stored with the model, whose archived code has the function.

    Args:
        function: the import path. Its last part is the feature's name.
    """

    def __init__(self, function: str) -> None:
        self.function = function

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Remember the names of the columns; there is nothing to learn."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """The feature as float64 of shape (n_rows, 1)."""
        given = [_none_where_missing(values) if values.dtype.kind == "O" else values for values in columns]
        with np.errstate(all="ignore"):
            made = np.asarray(_find_function(self.function)(*given), dtype=np.float64)
        return np.where(np.isfinite(made), made, np.nan)[:, None]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The function's name."""
        return np.asarray([self.function.rpartition(".")[2]], dtype=object)


@cache
def _find_function(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def _none_where_missing(values: np.ndarray) -> np.ndarray:
    # Training has it as NaN, a request as None.
    values = values.copy()
    values[pd.isna(values)] = None
    return values


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
