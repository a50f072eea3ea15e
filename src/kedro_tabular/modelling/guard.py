"""The guard: checks of a row's input against the training rows, and of the model's confidence in its prediction.

The checks of the input are fitted on the rows that the model was trained on: the categories, the ranges of the numbers
and their covariance. The check of the confidence is calibrated on rows that the model was not trained on.
"""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from threadpoolctl import threadpool_limits

from ..contract import Action, Contract, RowReasons
from ..parameters import Section

_MIN_VARIANCE = 1e-9  # of a direction, relative to the largest variance; a smaller one is only rounding


class Actions(Section):
    """What each reason does: see `RowReasons`."""

    missing: Action = "fallback"
    wrong_type: Action = "fallback"
    out_of_range: Action = "fallback"
    unseen_category: Action = "fallback"
    outside_training: Action = "fallback"
    far_from_training: Action = "fallback"
    uncertain: Action = "fallback"


class GuardSettings(Section):
    """`params:guard`: how strict the guard is."""

    actions: Actions
    margin: float = Field(ge=0)
    distance_quantile: float = Field(gt=0, le=1)
    alpha: float = Field(gt=0, lt=1)
    max_width: float | None = Field(default=None, gt=0)


class Guard:
    """Flags rows whose input or prediction is not to be trusted; `settings` is `params:guard`."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = GuardSettings.read("guard", settings).model_dump()
        self.actions: dict[str, Action] = self.settings["actions"]

    def fit(self, contract: Contract, rows: pd.DataFrame, features: pd.DataFrame) -> "Guard":
        """Fit the checks of the input on training rows and their features."""
        self.medians = features.median().to_numpy()
        self.categories = {name: sorted(rows[name].dropna().unique().tolist()) for name in contract.of_type("category")}
        self.numbers = contract.of_type("number")
        values = rows[self.numbers].to_numpy(dtype=np.float64, na_value=np.nan)
        low, high = pd.DataFrame(values).min().to_numpy(), pd.DataFrame(values).max().to_numpy()
        margin = self.settings["margin"] * (high - low)
        # a column without any value has an infinite range
        self.low, self.high = np.nan_to_num(low - margin, nan=-np.inf), np.nan_to_num(high + margin, nan=np.inf)
        self._fit_distance(values)
        return self

    def _fit_distance(self, values: np.ndarray) -> None:
        table = pd.DataFrame(values)
        self.means = table.mean().fillna(0).to_numpy()
        deviations = table.std(ddof=0).fillna(0).to_numpy()
        self.scales = np.where(deviations > 0, deviations, 1)
        self.directions = np.empty((0, len(self.means)))
        if not len(self.means):
            return
        with threadpool_limits(1, "blas"):  # the sums depend on the number of threads
            scaled = self._scale(values)
            variances, directions = np.linalg.eigh(scaled.T @ scaled / len(scaled))
        varies = variances > max(variances.max(), 0) * _MIN_VARIANCE
        self.directions = (directions[:, varies] / np.sqrt(variances[varies])).T.copy()
        distances = self._distances(values)
        self.max_distance = float(np.quantile(distances, self.settings["distance_quantile"], method="higher"))

    def calibrate(self, y_true: np.ndarray, scores: np.ndarray, classes: np.ndarray | None) -> "Guard":
        """Calibrate the model's confidence on rows that it was not trained on: see `conformal_quantile`."""
        self.limit = conformal_quantile(y_true, scores, classes, self.settings["alpha"])
        return self

    def check_input(self, columns: Mapping[str, np.ndarray], reasons: RowReasons) -> None:
        """Flag rows unlike the training rows: `unseen_category`, `outside_training` and `far_from_training`.

        Rows that go to the fallback already are skipped. `columns` are those that `check_rows` returns.
        """
        checked = ~reasons.fallback
        if reasons.enabled("unseen_category"):
            for name, categories in self._category_sets.items():
                values = columns[name]
                is_known = np.fromiter(map(categories.__contains__, values), dtype=bool, count=len(values))
                reasons.add("unseen_category", checked & ~is_known, name, values)
        if not self.numbers:
            return
        numbers = np.stack([columns[name] for name in self.numbers], axis=1)
        outside = (numbers < self.low) | (numbers > self.high)  # NaN compares as False
        if outside.any():
            for j in np.flatnonzero(outside.any(axis=0)):
                reasons.add("outside_training", checked & outside[:, j], self.numbers[j], numbers[:, j])
        if reasons.enabled("far_from_training"):
            distances = self._distances(numbers)
            # a row outside the range of one number is also far, but flagged already
            is_far = ~reasons.fallback & ~(distances <= self.max_distance)
            reasons.add("far_from_training", is_far, values=distances.round(2))

    def check_confidence(self, scores: np.ndarray, classes: np.ndarray | None, reasons: RowReasons) -> None:
        """Flag predictions as `uncertain`, with the prediction set, if it has not exactly one class.

        In a regression, with the width of the interval, if it is wider than `max_width`.
        """
        checked = ~reasons.fallback
        if not reasons.enabled("uncertain"):
            return
        if classes is None:
            max_width, width = self.settings["max_width"], 2 * self.limit
            if max_width is not None and width > max_width:
                reasons.add("uncertain", checked, values=np.full(len(scores), width))
            return
        possible = possible_classes(scores, self.limit)
        uncertain = checked & (possible.sum(axis=1) != 1)
        if uncertain.any():
            values = np.full(len(scores), "", dtype=object)
            prediction_sets, positions = np.unique(possible[uncertain], axis=0, return_inverse=True)
            texts = ["|".join(str(label) for label in classes[is_in_set]) or "none" for is_in_set in prediction_sets]
            values[uncertain] = np.array(texts, dtype=object)[positions.ravel()]
            reasons.add("uncertain", uncertain, values=values)

    def _scale(self, values: np.ndarray) -> np.ndarray:
        scaled = (values - self.means) / self.scales
        scaled[np.isnan(scaled)] = 0  # a missing value counts as the mean
        return scaled

    def _distances(self, values: np.ndarray) -> np.ndarray:
        """Mahalanobis distance of each row to the mean of the training rows, shape (n_rows,)."""
        squares = np.zeros(len(values))
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = self._scale(values)
            for direction in self.directions:  # the rounding of a matrix product depends on the batch
                squares += np.square((scaled * direction).sum(axis=1))
        return np.sqrt(squares)

    @cached_property
    def _category_sets(self) -> dict[str, set[Any]]:
        # a missing value is left to the contract
        return {name: {None, *categories} for name, categories in self.categories.items()}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_category_sets"}


def possible_classes(scores: np.ndarray, limit: float) -> np.ndarray:
    """The mask of the classes in each row's prediction set, shape (n_rows, n_classes)."""
    return 1 - scores <= limit


def conformal_quantile(y_true: np.ndarray, scores: np.ndarray, classes: np.ndarray | None, alpha: float) -> float:
    """The split-conformal quantile of level 1 - alpha of the distances between scores and the target.

    The distance is 1 minus the probability of the true class (LAC: Sadinle, Lei and Wasserman 2019,
    https://doi.org/10.1080/01621459.2017.1395341), or in a regression the absolute residual (Lei et al. 2018,
    https://doi.org/10.1080/01621459.2017.1307116).

    `y_true` and `scores` are of the calibration rows: shapes (n_rows,) and (n_rows, n_classes), with `classes` in the
    order of the scores; for a regression (n_rows, 1), and None. Infinite if there are too few rows for the level.
    """
    if classes is None:
        distances = np.abs(y_true - scores[:, 0])
    else:
        is_class = y_true[:, None] == classes[None, :]
        distances = 1 - np.where(is_class, scores, 0).sum(axis=1)  # the probability of an unknown class is 0
    rank = math.ceil((len(y_true) + 1) * (1 - alpha))
    return float(np.sort(distances)[rank - 1]) if rank <= len(y_true) else math.inf
