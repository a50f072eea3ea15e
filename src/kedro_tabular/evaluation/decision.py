"""The decision threshold of a classification with two classes: how it is chosen, and its effect on the test rows.

The positive class is the second one in sorted order. It is predicted where its probability is above the threshold.
"""

from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator
from sklearn.base import BaseEstimator

from ..contract import Contract, probability_column
from ..modelling import Guard, LeanColumnTransformer, PackagedModel, decide
from ..parameters import ParameterError, Section
from .labelled_scores import LabelledScores

_DEFAULT, _BEST_F1, _COSTS = 0.5, "best_f1", "costs"


class Costs(Section):
    """What a wrong prediction of each kind costs, in any unit."""

    false_positive: float = Field(gt=0)
    false_negative: float = Field(gt=0)


class DecisionSettings(Section):
    """`params:decision`: the threshold, or what it is chosen by."""

    threshold: float | str = _DEFAULT
    costs: Costs | None = None

    @field_validator("threshold")
    @classmethod
    def _check_threshold(cls, value: float | str) -> float | str:
        if value in (_BEST_F1, _COSTS) or (isinstance(value, float) and 0 < value < 1):
            return value
        raise ValueError(f"must be a number between 0 and 1, {_BEST_F1} or {_COSTS}")

    @model_validator(mode="after")
    def _check_costs(self) -> Self:
        if self.threshold == _COSTS and self.costs is None:
            raise ValueError("threshold: costs needs costs, for example {false_positive: 1, false_negative: 5}")
        return self


class Counts(NamedTuple):
    """Numbers of rows by their true and predicted class: one of each, or arrays with a value for each threshold."""

    true_positives: np.ndarray
    false_positives: np.ndarray
    false_negatives: np.ndarray

    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall; 0 if no row is or is predicted to be positive."""
        true_positives, *errors = self
        return 2 * true_positives / np.maximum(2 * true_positives + sum(errors), 1)

    def cost(self, costs: Costs) -> np.ndarray:
        """The cost of all rows together."""
        return costs.false_positive * self.false_positives + costs.false_negative * self.false_negatives


def choose_decision(
    calibration_table: pd.DataFrame,
    preprocessor: LeanColumnTransformer,
    model: BaseEstimator,
    guard: Guard,
    fallback: BaseEstimator,
    contract: dict[str, Any],
    decision: dict[str, Any],
) -> dict[str, Any]:
    """The decision threshold that `params:decision` asks for, on the packaged model's predictions.

    Returns:
        As JSON: `threshold` and `positive_class`, None if the task has no threshold; `chosen_by`, a number or the name
        in conf/; `costs`.

    Raises:
        ParameterError: the section is invalid, the task has no threshold, or the calibration rows have one class only.
    """
    settings, classes = DecisionSettings.read("decision", decision), getattr(model, "classes_", None)
    chosen: dict[str, Any] = {"threshold": None, "positive_class": None, "chosen_by": settings.threshold, "costs": None}
    if classes is None or len(classes) != 2:
        if settings.threshold != _DEFAULT:
            task = "a regression" if classes is None else f"a classification with {len(classes)} classes"
            problem = f"{settings.threshold} is for two classes, but this is {task}: leave it at {_DEFAULT}"
            raise ParameterError(f"decision.threshold in conf/: {problem}")
        return chosen
    threshold = settings.threshold
    if isinstance(threshold, str):
        schema = Contract.from_parameters(contract)
        packaged = PackagedModel.from_parts(schema, preprocessor, model, guard, fallback)
        probability = packaged.predict(calibration_table)[probability_column(classes[1])].to_numpy()
        is_positive = calibration_table[schema.target].to_numpy() == classes[1]
        if is_positive.all() or not is_positive.any():
            problem = f"the {len(is_positive):,} calibration rows have one class only: choose another split"
            raise ParameterError(f"decision.threshold in conf/ can't be chosen: {problem}")
        threshold = find_threshold(is_positive, probability, settings.costs if threshold == _COSTS else None)
    costs = settings.costs.model_dump() if settings.costs else None
    return chosen | {"threshold": threshold, "positive_class": str(classes[1]), "costs": costs}


def find_threshold(is_positive: np.ndarray, probability: np.ndarray, costs: Costs | None) -> float:
    """The threshold with the lowest cost of these rows, or with the best F1 if there are no costs.

    It is in the middle between the probabilities of two rows. Of equally good ones the first is that nearest to 0.5.

    Args:
        is_positive: whether each row is of the positive class, shape (n_rows,).
        probability: of the positive class, shape (n_rows,).
        costs: of each kind of error.
    """
    values, positions = np.unique(probability, return_inverse=True)
    # by the number of values that are not above the threshold
    rows = np.append(0, np.bincount(positions).cumsum())
    positives = np.append(0, np.bincount(positions, weights=is_positive).cumsum())
    true_positives, predicted = positives[-1] - positives, rows[-1] - rows
    counts = Counts(true_positives, predicted - true_positives, positives)
    loss = -counts.f1() if costs is None else counts.cost(costs)
    low, high = np.append(0, values), np.append(values, 1)
    middle = (low + high) / 2
    thresholds = np.where(middle < high, middle, low)  # a threshold that equals the next value would exclude it
    best = np.flatnonzero(loss == loss.min())
    return float(thresholds[best[np.abs(thresholds[best] - _DEFAULT).argmin()]])


def assess_decision(
    test_predictions: pd.DataFrame, contract: dict[str, Any], decision: dict[str, Any]
) -> dict[str, Any]:
    """The decision of `choose_decision` with its effect on the test rows, `levels`: at its threshold and at 0.5.

    Each level has `threshold`, `precision`, `recall`, `f1`, `positive_share` (of the rows, predicted) and `cost`, the
    mean of a row; a value that is not defined is None. There are no levels for a task without a threshold.
    """
    if decision["threshold"] is None:
        return decision | {"levels": []}
    scored = LabelledScores.from_predictions(test_predictions, Contract.from_parameters(contract))
    costs = Costs.read("decision.costs", decision["costs"]) if decision["costs"] else None
    thresholds = dict.fromkeys([decision["threshold"], _DEFAULT])
    levels = [{"threshold": threshold} | _assess_level(scored, threshold, costs) for threshold in thresholds]
    return decision | {"levels": levels}


def _assess_level(scored: LabelledScores, threshold: float, costs: Costs | None) -> dict[str, float | None]:
    is_positive, is_predicted = scored.is_class[:, 1], decide(scored.scores, threshold) == 1
    hits = is_positive & is_predicted
    counts = Counts(hits.sum(), (is_predicted & ~hits).sum(), (is_positive & ~hits).sum())
    return {
        "precision": float(hits.sum() / is_predicted.sum()) if is_predicted.any() else None,
        "recall": float(hits.sum() / is_positive.sum()) if is_positive.any() else None,
        "f1": float(counts.f1()),
        "positive_share": float(is_predicted.mean()),
        "cost": float(counts.cost(costs) / len(is_predicted)) if costs else None,
    }
