"""Is this row one that the model can be trusted with?

Learned from the rows that the model was trained on: the categories, the ranges of the numbers and how these
go together. Learned from calibration rows, which it has not seen: how sure it has to be.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from threadpoolctl import threadpool_limits

from ..contract import Action, Contract, RowReasons
from ..parameters import Section

_SMALLEST_VARIANCE = 1e-9  # of a direction, as a share of the largest one; less is no variation but rounding


class Actions(Section):
    """What becomes of a row for each reason: see `Findings`."""

    missing: Action = "fallback"
    wrong_type: Action = "fallback"
    out_of_range: Action = "fallback"
    unseen_category: Action = "fallback"
    outside_training: Action = "fallback"
    far_from_training: Action = "fallback"
    uncertain: Action = "fallback"


class GuardSettings(Section):
    """How strict the guard is."""

    actions: Actions
    margin: float = Field(ge=0)
    distance_quantile: float = Field(gt=0, le=1)
    alpha: float = Field(gt=0, lt=1)
    max_width: float | None = Field(default=None, gt=0)


class Guard:
    """Finds what speaks against a row beyond the contract.

    Args:
        settings: `params:guard`.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        read = GuardSettings.read("guard", settings)
        self.settings = read.model_dump()
        self.actions: dict[str, Action] = self.settings["actions"]

    def fit(self, contract: Contract, rows: pd.DataFrame, features: pd.DataFrame) -> "Guard":
        """Learn what training rows look like, raw and as the estimator's features."""
        self.medians = features.median().to_numpy()
        self.categories = {name: sorted(rows[name].dropna().unique().tolist()) for name in contract.of_type("category")}
        self.numbers = contract.of_type("number")
        values = rows[self.numbers].to_numpy(dtype=np.float64, na_value=np.nan)
        low, high = pd.DataFrame(values).min().to_numpy(), pd.DataFrame(values).max().to_numpy()
        slack = self.settings["margin"] * (high - low)
        # a column without any value has no range to leave
        self.low, self.high = np.nan_to_num(low - slack, nan=-np.inf), np.nan_to_num(high + slack, nan=np.inf)
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
        varies = variances > max(variances.max(), 0) * _SMALLEST_VARIANCE
        self.directions = (directions[:, varies] / np.sqrt(variances[varies])).T.copy()
        distances = self._distances(values)
        self.farthest = float(np.quantile(distances, self.settings["distance_quantile"], method="higher"))

    def calibrate(
        self, truth: np.ndarray, scores: np.ndarray, fallback_scores: np.ndarray, classes: np.ndarray | None
    ) -> "Guard":
        """Learn how far the scores of both models are from the truth, on rows that neither has seen.

        The arguments are those of `conformal_quantile`.
        """
        alpha = self.settings["alpha"]
        self.limit = conformal_quantile(truth, scores, classes, alpha)
        self.fallback_limit = conformal_quantile(truth, fallback_scores, classes, alpha)
        return self

    def inspect(self, columns: Mapping[str, np.ndarray], findings: RowReasons) -> None:
        """Compare rows with those of the training; what is found counts for rows still left to the model.

        Args:
            columns: of the contract, as `check_rows` gives them.
            findings: gets `unseen_category`, `outside_training` and `far_from_training`.
        """
        left = ~findings.fallback
        if findings.wants("unseen_category"):
            for name, seen in self._seen.items():
                values = columns[name]
                known = np.fromiter(map(seen.__contains__, values), dtype=bool, count=len(values))
                findings.add("unseen_category", left & ~known, name, values)
        if not self.numbers:
            return
        numbers = np.stack([columns[name] for name in self.numbers], axis=1)
        outside = (numbers < self.low) | (numbers > self.high)  # NaN compares as False
        if outside.any():
            for j in np.flatnonzero(outside.any(axis=0)):
                findings.add("outside_training", left & outside[:, j], self.numbers[j], numbers[:, j])
        if findings.wants("far_from_training"):
            distances = self._distances(numbers)
            # what is outside alone is far as well, and told already
            far = ~findings.fallback & ~(distances <= self.farthest)
            findings.add("far_from_training", far, values=distances.round(2))

    def judge(self, scores: np.ndarray, classes: np.ndarray | None, findings: RowReasons) -> None:
        """Find the rows that the model is not sure of: `uncertain`, with the classes it can't tell apart.

        Of a regression, where the interval is wider than `max_width`, with its width.

        Args:
            scores: as for `conformal_quantile`.
            classes: in the order of the scores; None for a regression.
            findings: gets the reasons.
        """
        left = ~findings.fallback
        if not findings.wants("uncertain"):
            return
        if classes is None:
            widest, width = self.settings["max_width"], 2 * self.limit
            if widest is not None and width > widest:
                findings.add("uncertain", left, values=np.full(len(scores), width))
            return
        possible = possible_classes(scores, self.limit)
        uncertain = left & (possible.sum(axis=1) != 1)
        if uncertain.any():
            sets = np.full(len(scores), "", dtype=object)
            patterns, positions = np.unique(possible[uncertain], axis=0, return_inverse=True)
            told = ["|".join(str(label) for label in classes[pattern]) or "none" for pattern in patterns]
            sets[uncertain] = np.array(told, dtype=object)[positions.ravel()]
            findings.add("uncertain", uncertain, values=sets)

    def _scale(self, values: np.ndarray) -> np.ndarray:
        scaled = (values - self.means) / self.scales
        scaled[np.isnan(scaled)] = 0  # what is missing is taken as average
        return scaled

    def _distances(self, values: np.ndarray) -> np.ndarray:
        """Mahalanobis distance of each row to the training rows' mean, shape (n_rows,)."""
        squares = np.zeros(len(values))
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = self._scale(values)
            for direction in self.directions:  # a matrix product would round a row by its batch
                squares += np.square((scaled * direction).sum(axis=1))
        return np.sqrt(squares)

    @property
    def _seen(self) -> dict[str, set[Any]]:
        if "_sets" not in self.__dict__:
            # a missing value is the contract's matter
            self._sets = {name: {None, *values} for name, values in self.categories.items()}
        return self._sets

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_sets"}


def possible_classes(scores: np.ndarray, limit: float) -> np.ndarray:
    """Which classes are in the prediction set of each row, shape (n_rows, n_classes)."""
    return 1 - scores <= limit


def conformal_quantile(truth: np.ndarray, scores: np.ndarray, classes: np.ndarray | None, alpha: float) -> float:
    """How far scores may be from the truth: the split-conformal quantile of level 1 - alpha.

    A row is as far as 1 less the probability of its class (LAC: Sadinle, Lei and Wasserman 2019,
    https://doi.org/10.1080/01621459.2017.1395341), or in a regression as its absolute residual (Lei et al.
    2018, https://doi.org/10.1080/01621459.2017.1307116).

    Args:
        truth: of the calibration rows, shape (n_rows,).
        scores: of shape (n_rows, n_classes), or (n_rows, 1) for a regression.
        classes: in the order of the scores; None for a regression.
        alpha: the share of rows that may be farther.

    Returns:
        The quantile; infinite where there are too few rows for the level.
    """
    if classes is None:
        distance = np.abs(truth - scores[:, 0])
    else:
        is_class = truth[:, None] == classes[None, :]
        distance = 1 - np.where(is_class, scores, 0).sum(axis=1)  # an unknown class has the probability 0
    rank = math.ceil((len(truth) + 1) * (1 - alpha))
    return float(np.sort(distance)[rank - 1]) if rank <= len(truth) else math.inf
