"""The effect of the guard: the model, the fallback and both combined on the test rows."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from ..contract import REASONS, SOURCE, Contract
from ..modelling import Guard, conformal_quantile, decide, possible_classes, score
from . import plots
from .labelled_scores import LabelledScores
from .metrics import Evaluation


def assess_guard(
    test_table: pd.DataFrame,
    calibration_table: pd.DataFrame,
    test_predictions: pd.DataFrame,
    preprocessor: TransformerMixin,
    model: BaseEstimator,
    guard: Guard,
    fallback: BaseEstimator,
    contract: dict[str, Any],
    evaluation: dict[str, Any],
    decision: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], str]:
    """The accuracy (of a regression, the mean absolute error) by reason and by the level alpha of the guard.

    `decision` is that of `choose_decision`; without it the most probable class is predicted.

    Returns:
        `metric`, its name; `rows`; `alpha`; `coverage`, the share of rows whose true value is in the prediction
        set or interval, of the rows that the checks of the input leave to the model: the others have none;
        `model_share`, the share of rows that the model predicts; the metric of `model`, `fallback` and `combined`;
        `reasons`, the metric on the rows of each reason; `levels`, the results for each of `evaluation.alphas` if
        `uncertain` were the only reason and its action `fallback`. And a plot: risk against coverage; of a
        regression, the coverage of the interval.
    """
    schema, threshold = Contract.from_parameters(contract), decision["threshold"] if decision else None
    rows = schema.select(test_table)
    scored = _label(test_table, score(model, preprocessor.transform(rows)), model, schema)
    calibration_scores = score(model, preprocessor.transform(schema.select(calibration_table)))
    calibration = _label(calibration_table, calibration_scores, model, schema)
    by_row = {
        "model": _metric_by_row(scored, threshold),
        "fallback": _metric_by_row(scored._replace(scores=score(fallback, rows)), threshold),
    }
    has_set = _has_prediction_set(test_predictions)
    covered = scored.select(has_set)
    alphas = Evaluation.read("evaluation", evaluation).alphas
    is_regression, all_rows = scored.task == "regression", np.ones(len(test_table), dtype=bool)
    assessment = {
        "metric": "mae" if is_regression else "accuracy",
        "rows": len(test_table),
        "alpha": guard.settings["alpha"],
        "coverage": _coverage(covered, guard.limit),
        **_compare(by_row, all_rows, all_rows, test_predictions[SOURCE].eq("fallback").to_numpy()),
        "reasons": _by_reason(test_predictions[REASONS], by_row, guard),
        "levels": [_assess_level(alpha, scored, has_set, calibration, by_row) for alpha in alphas],
    }
    if is_regression:
        return assessment, plots.interval_coverage_plot(covered.y_true, covered.scores[:, 0], guard.limit)
    return assessment, plots.risk_coverage_plot(scored.scores.max(axis=1), by_row["model"], by_row["fallback"])


def _label(table: pd.DataFrame, scores: np.ndarray, model: BaseEstimator, contract: Contract) -> LabelledScores:
    """The target of rows with the model's scores for them, which have the shape (n_rows, 1) for a regression."""
    return LabelledScores(table[contract.target].to_numpy(), scores, getattr(model, "classes_", None))


def _has_prediction_set(predictions: pd.DataFrame) -> np.ndarray:
    """The mask of the rows that the checks of the input leave to the model, shape (n_rows,).

    Only such a row can be `uncertain`, for which it may go to the fallback.
    """
    is_uncertain = np.array([any(r.startswith("uncertain:") for r in row) for row in predictions[REASONS]], dtype=bool)
    return predictions[SOURCE].eq("model").to_numpy() | is_uncertain


def _metric_by_row(scored: LabelledScores, threshold: float | None) -> np.ndarray:
    """For each row, whether the prediction is correct; of a regression, the absolute error."""
    if scored.classes is None:
        return np.abs(scored.y_true - scored.scores[:, 0])
    return (scored.classes.take(decide(scored.scores, threshold)) == scored.y_true).astype(float)


def _coverage(scored: LabelledScores, limit: float) -> float | None:
    if not len(scored.y_true):
        return None
    if scored.classes is None:
        return float((np.abs(scored.y_true - scored.scores[:, 0]) <= limit).mean())
    return float((scored.is_class & possible_classes(scored.scores, limit)).any(axis=1).mean())


def _assess_level(
    alpha: float,
    scored: LabelledScores,
    has_set: np.ndarray,
    calibration: LabelledScores,
    by_row: dict[str, np.ndarray],
) -> dict[str, Any]:
    limit = conformal_quantile(calibration.y_true, calibration.scores, calibration.classes, alpha)
    level = {"alpha": alpha, "coverage": _coverage(scored.select(has_set), limit)}
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
