"""Evaluate the model on the test rows, which are held out from training."""

from typing import Any

import pandas as pd
from kedro_tabular.contract import Contract
from kedro_tabular.evaluation import (
    BASELINE,
    Evaluation,
    LabelledScores,
    Metrics,
    compute_importance,
    compute_metrics,
    plots,
    score_baseline,
)
from kedro_tabular.modelling import Guard, LeanColumnTransformer, PackagedModel
from sklearn.base import BaseEstimator, TransformerMixin


def predict_test(
    test_table: pd.DataFrame,
    preprocessor: LeanColumnTransformer,
    model: BaseEstimator,
    guard: Guard,
    fallback: BaseEstimator,
    decision: dict[str, Any],
    contract: dict[str, Any],
) -> pd.DataFrame:
    """The target of each test row beside the predictions of the packaged model."""
    schema = Contract.from_parameters(contract)
    packaged = PackagedModel.from_parts(schema, preprocessor, model, guard, fallback, decision["threshold"])
    return pd.concat([test_table[[schema.target]], packaged.predict(test_table)], axis=1)


def measure_metrics(
    test_predictions: pd.DataFrame, train_table: pd.DataFrame, contract: dict[str, Any], evaluation: dict[str, Any]
) -> tuple[Metrics, dict[str, dict[str, float]]]:
    """Metrics of the predictions, and of a baseline that knows only the distribution of the training target.

    Returns:
        The metrics by name, with `fallback_share`, the share of rows that the fallback predicts, and the metrics of
        the baseline as `dummy_<name>`; and the same in the format of MLflow.
    """
    schema = Contract.from_parameters(contract)
    n_bins = Evaluation.read("evaluation", evaluation).calibration_bins
    scored = LabelledScores.from_predictions(test_predictions, schema)
    baseline = score_baseline(scored, train_table[schema.target].to_numpy())
    metrics = compute_metrics(scored, n_bins)
    metrics["fallback_share"] = float(test_predictions["source"].eq("fallback").mean())
    metrics |= {BASELINE + name: value for name, value in compute_metrics(baseline, n_bins).items()}
    return metrics, {name: {"value": value, "step": 0} for name, value in metrics.items()}


def plot_predictions(
    test_predictions: pd.DataFrame, contract: dict[str, Any], evaluation: dict[str, Any]
) -> dict[str, str]:
    """The plots for the task, as SVG text by name."""
    settings = Evaluation.read("evaluation", evaluation)
    scored = LabelledScores.from_predictions(test_predictions, Contract.from_parameters(contract))
    if scored.classes is None:
        return plots.regression_plots(scored.y_true, scored.scores)
    bins = settings.calibration_bins
    return plots.classification_plots(scored.y_true, scored.scores, scored.classes, bins, scored.predicted)


def plot_importance(
    test_table: pd.DataFrame,
    preprocessor: TransformerMixin,
    model: BaseEstimator,
    contract: dict[str, Any],
    evaluation: dict[str, Any],
    seed: int,
) -> str:
    """A plot of the permutation importance of each column of the contract, on a sample of the test rows."""
    schema, settings = Contract.from_parameters(contract), Evaluation.read("evaluation", evaluation)
    importance, score = compute_importance(preprocessor, model, test_table, schema, settings, seed)
    return plots.importance_plot(importance, score)
