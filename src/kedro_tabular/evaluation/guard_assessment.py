"""What the guard costs and is worth: the model, the fallback and both together on the test rows."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from ..contract import Contract
from ..modelling import Guard, conformal_quantile, possible_classes, score
from . import plots
from .settings import Evaluation


def assess_guard(
    test_table: pd.DataFrame,
    calibration_table: pd.DataFrame,
    test_predictions: pd.DataFrame,
    preprocessor: TransformerMixin,
    model: BaseEstimator,
    fallback: BaseEstimator,
    guard: Guard,
    contract: dict[str, Any],
    evaluation: dict[str, Any],
) -> tuple[dict[str, Any], str]:
    """Share and goodness of the answers by what the guard found, and by the level that it could have.

    Goodness is the accuracy, in a regression the mean absolute error.

    Returns:
        `measure`, the name of the goodness; `rows`; `alpha`; `coverage`, the share of rows whose truth is in
        the set or interval of the guard's `alpha`; `answered`, the share answered by the model; the goodness
        of `model`, `fallback` and `both`; `reasons`, the same by reason; `levels`, the same for each of
        `evaluation.alphas`, as if `uncertain` were the only reason and meant fallback. And a plot: risk
        against coverage, or in a regression how often the truth is inside the interval.
    """
    read = Contract.from_parameters(contract)
    settings = Evaluation.read("evaluation", evaluation)
    classes = getattr(model, "classes_", None)
    truth, said = _score(test_table, preprocessor, model, read)
    guesses = score(fallback, read.select(test_table))
    good = {"model": _goodness(truth, said, classes), "fallback": _goodness(truth, guesses, classes)}
    fell_back = test_predictions["source"].eq("fallback").to_numpy()
    calibration = _score(calibration_table, preprocessor, model, read)
    levels = []
    for alpha in settings.alphas:
        limit = conformal_quantile(*calibration, classes, alpha)
        left = possible_classes(said, limit).sum(axis=1) == 1 if classes is not None else np.ones(len(said), bool)
        width = {} if classes is not None else {"width": 2 * limit}
        level = {"alpha": alpha, "coverage": _coverage(truth, said, classes, limit)}
        levels.append(level | width | _compare(good, left, ~left, ~left))
    everything = np.ones(len(truth), dtype=bool)
    assessed = {
        "measure": "accuracy" if classes is not None else "mae",
        "rows": len(truth),
        "alpha": guard.settings["alpha"],
        "coverage": _coverage(truth, said, classes, guard.limit),
        **_compare(good, everything, everything, fell_back),
        "reasons": _by_reason(test_predictions["reasons"], good, guard),
        "levels": levels,
    }
    if classes is None:
        return assessed, plots.interval_coverage(truth, said[:, 0], guard.limit)
    return assessed, plots.risk_coverage(said.max(axis=1), good["model"], good["fallback"])


def _score(
    table: pd.DataFrame, preprocessor: TransformerMixin, model: BaseEstimator, contract: Contract
) -> tuple[np.ndarray, np.ndarray]:
    """The truth of each row, and what the model says of it."""
    features = preprocessor.transform(contract.select(table))
    return table[contract.target].to_numpy(), score(model, features)


def _goodness(truth: np.ndarray, scores: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    """Of each row: whether it is answered rightly, or by how much it is missed."""
    if classes is None:
        return np.abs(truth - scores[:, 0])
    return (classes.take(scores.argmax(axis=1)) == truth).astype(float)


def _coverage(truth: np.ndarray, scores: np.ndarray, classes: np.ndarray | None, limit: float) -> float:
    if classes is None:
        return float((np.abs(truth - scores[:, 0]) <= limit).mean())
    is_class = truth[:, None] == classes[None, :]
    return float((is_class & possible_classes(scores, limit)).any(axis=1).mean())


def _compare(
    good: dict[str, np.ndarray], model: np.ndarray, fallback: np.ndarray, fell_back: np.ndarray
) -> dict[str, Any]:
    """Goodness of the model on some rows, of the fallback on others, and of all as they are answered."""
    both = np.where(fell_back, good["fallback"], good["model"])
    return {
        "answered": float(1 - fell_back.mean()),
        "model": _mean(good["model"][model]),
        "fallback": _mean(good["fallback"][fallback]),
        "both": _mean(both),
    }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _by_reason(reasons: pd.Series, good: dict[str, np.ndarray], guard: Guard) -> list[dict[str, Any]]:
    found = [{reason.partition(":")[0] for reason in row} for row in reasons]
    told = []
    for code, action in guard.actions.items():
        has_it = np.fromiter((code in codes for codes in found), dtype=bool, count=len(found))
        measured = {name: _mean(values[has_it]) for name, values in good.items()}
        told.append({"reason": code, "action": action, "rows": int(has_it.sum()), **measured})
    return told
