"""The effect of the guard: the model, the fallback and both combined on the test rows."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from ..contract import REASONS, SOURCE, Contract
from ..modelling import Guard, conformal_quantile, possible_classes, score
from . import plots
from .metrics import Evaluation, LabelledScores


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
    """The accuracy (of a regression, the mean absolute error) by reason and by the level alpha of the guard.

    Returns:
        `metric`, its name; `rows`; `alpha`; `coverage`, the share of rows whose true value is in the prediction
        set or interval; `model_share`, the share of rows that the model predicts; the metric of `model`,
        `fallback` and `combined`; `reasons`, the metric on the rows of each reason; `levels`, the results for
        each of `evaluation.alphas` if `uncertain` were the only reason and its action `fallback`. And a plot:
        risk against coverage; of a regression, the coverage of the interval.
    """
    schema = Contract.from_parameters(contract)
    scored = _score(test_table, preprocessor, model, schema)
    calibration = _score(calibration_table, preprocessor, model, schema)
    fallback_scores = score(fallback, schema.select(test_table))
    by_row = {"model": _metric_by_row(scored), "fallback": _metric_by_row(scored._replace(scores=fallback_scores))}
    alphas = Evaluation.read("evaluation", evaluation).alphas
    is_regression, all_rows = scored.task == "regression", np.ones(len(test_table), dtype=bool)
    assessment = {
        "metric": "mae" if is_regression else "accuracy",
        "rows": len(test_table),
        "alpha": guard.settings["alpha"],
        "coverage": _coverage(scored, guard.limit),
        **_compare(by_row, all_rows, all_rows, test_predictions[SOURCE].eq("fallback").to_numpy()),
        "reasons": _by_reason(test_predictions[REASONS], by_row, guard),
        "levels": [_assess_level(alpha, scored, calibration, by_row) for alpha in alphas],
    }
    if is_regression:
        return assessment, plots.interval_coverage_plot(scored.y_true, scored.scores[:, 0], guard.limit)
    return assessment, plots.risk_coverage_plot(scored.scores.max(axis=1), by_row["model"], by_row["fallback"])


def _score(
    table: pd.DataFrame, preprocessor: TransformerMixin, model: BaseEstimator, contract: Contract
) -> LabelledScores:
    """The target and the model's scores, of shape (n_rows, 1) for a regression."""
    scores = score(model, preprocessor.transform(contract.select(table)))
    return LabelledScores(table[contract.target].to_numpy(), scores, getattr(model, "classes_", None))


def _metric_by_row(scored: LabelledScores) -> np.ndarray:
    """For each row, whether the prediction is correct; of a regression, the absolute error."""
    if scored.classes is None:
        return np.abs(scored.y_true - scored.scores[:, 0])
    return (scored.classes.take(scored.scores.argmax(axis=1)) == scored.y_true).astype(float)


def _coverage(scored: LabelledScores, limit: float) -> float:
    if scored.classes is None:
        return float((_metric_by_row(scored) <= limit).mean())
    return float((scored.is_class & possible_classes(scored.scores, limit)).any(axis=1).mean())


def _assess_level(
    alpha: float, scored: LabelledScores, calibration: LabelledScores, by_row: dict[str, np.ndarray]
) -> dict[str, Any]:
    limit = conformal_quantile(*calibration, alpha)
    level = {"alpha": alpha, "coverage": _coverage(scored, limit)}
    confident = np.ones(len(scored.scores), dtype=bool)
    if scored.classes is None:
        level["width"] = 2 * limit
    else:
        confident = possible_classes(scored.scores, limit).sum(axis=1) == 1
    return level | _compare(by_row, confident, ~confident, ~confident)


def _compare(
    by_row: dict[str, np.ndarray], model_rows: np.ndarray, fallback_rows: np.ndarray, fell_back: np.ndarray
) -> dict[str, Any]:
    """The metric of the model on some rows, of the fallback on others, and of both combined on all rows."""
    return {
        "model_share": float(1 - fell_back.mean()),
        "model": _mean(by_row["model"][model_rows]),
        "fallback": _mean(by_row["fallback"][fallback_rows]),
        "combined": _mean(np.where(fell_back, by_row["fallback"], by_row["model"])),
    }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _by_reason(reasons: pd.Series, by_row: dict[str, np.ndarray], guard: Guard) -> list[dict[str, Any]]:
    codes = [{reason.partition(":")[0] for reason in row} for row in reasons]
    masks = {code: np.array([code in of_row for of_row in codes], dtype=bool) for code in guard.actions}
    return [
        {"reason": code, "action": guard.actions[code], "rows": int(mask.sum())}
        | {name: _mean(values[mask]) for name, values in by_row.items()}
        for code, mask in masks.items()
    ]
