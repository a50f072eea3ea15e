"""Features from date-times: their parts, and the days between them."""

from itertools import combinations
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from .transformers import StatelessTransformer

_DAY = 24 * 3600


class DatetimeParts(StatelessTransformer):
    """Splits date-times into numbers that are periodic (hour, weekday ...) or increase (year, days).

    Each column gets the `parts`, some of `PARTS`, that vary in the training rows. `hour` has the minutes as its
    fraction, Monday is `weekday` 0, `days` counts from 1970. Missing date-times become NaN.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("hour", "weekday", "day", "month", "day_of_year", "year", "days")

    def __init__(self, parts: tuple[str, ...] | list[str] = ("hour", "weekday")) -> None:
        self.parts = parts

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Find the parts that vary. Raises ValueError for an unknown part."""
        unknown = sorted(set(self.parts) - set(self.PARTS))
        if unknown:
            raise ValueError(f"unknown date-time parts {unknown}, known are {list(self.PARTS)}")
        super().fit(X, y)
        columns = [_to_seconds(X[name].to_numpy()) for name in X]
        self.used_: list[tuple[int, str]] = [
            (j, part) for j, column in enumerate(columns) for part in self.parts if _varies(datetime_part(column, part))
        ]
        return self

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """Parts as float64 of shape (n_rows, n_parts)."""
        seconds = [_to_seconds(values) for values in columns]
        return _stack([datetime_part(seconds[j], part) for j, part in self.used_], len(seconds[0]))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names such as `time_hour`, in the order of the columns of `transform`."""
        return np.asarray([f"{self.feature_names_in_[j]}_{part}" for j, part in self.used_], dtype=object)


class DaysBetween(StatelessTransformer):
    """The days between each two date-times of a row; NaN if one is missing.

    Differences that do not vary in the training rows are left out.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Find the differences that vary in the training rows."""
        super().fit(X, y)
        columns = [_to_seconds(X[name].to_numpy()) for name in X]
        pairs = combinations(range(len(columns)), 2)
        self.pairs_ = [(i, j) for i, j in pairs if _varies(_days_between(columns[i], columns[j]))]
        return self

    def transform_columns(self, columns: list[np.ndarray]) -> np.ndarray:
        """Days as float64 of shape (n_rows, n_pairs)."""
        seconds = [_to_seconds(values) for values in columns]
        return _stack([_days_between(seconds[i], seconds[j]) for i, j in self.pairs_], len(seconds[0]))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names such as `days_from_signup_to_time`."""
        names = self.feature_names_in_
        return np.asarray([f"days_from_{names[i]}_to_{names[j]}" for i, j in self.pairs_], dtype=object)


def datetime_part(times: np.ndarray, part: str) -> np.ndarray:
    """One of `DatetimeParts.PARTS` of datetime64, shape (n_rows,), as float64; NaN for missing.

    Arithmetic on datetime64 takes microseconds for one row, pandas' `.dt` a tenth of a millisecond.
    """
    seconds = _to_seconds(times)
    days = seconds.astype("datetime64[D]")
    if part == "hour":
        values = (seconds - days).astype(np.float64) / 3600
    elif part == "weekday":
        values = ((days.astype(np.int64) + 3) % 7).astype(np.float64)  # 1970-01-01 was a Thursday
    elif part == "day":
        values = (days - days.astype("datetime64[M]")).astype(np.float64) + 1
    elif part == "month":
        values = (days.astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.float64)
    elif part == "day_of_year":
        values = (days - days.astype("datetime64[Y]")).astype(np.float64) + 1
    elif part == "year":
        values = days.astype("datetime64[Y]").astype(np.float64) + 1970
    else:  # days
        values = seconds.astype(np.float64) / _DAY
    return np.where(np.isnat(seconds), np.nan, values)


def _to_seconds(times: np.ndarray) -> np.ndarray:
    return times.astype("datetime64[s]", copy=False)


def _days_between(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    missing = np.isnat(first) | np.isnat(last)
    return np.where(missing, np.nan, (last - first).astype(np.float64) / _DAY)


def _varies(values: np.ndarray) -> bool:
    present = values[~np.isnan(values)]
    return len(present) > 0 and present.min() < present.max()


def _stack(features: list[np.ndarray], n_rows: int) -> np.ndarray:
    return np.stack(features, axis=1) if features else np.empty((n_rows, 0))
