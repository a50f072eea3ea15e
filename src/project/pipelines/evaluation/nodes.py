"""Evaluate the trained model on the test rows, which training has not seen."""

from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss, make_scorer
from sklearn.pipeline import make_pipeline

from ... import plots
from ...contract import Contract
from ...guard import Guard
from ...metrics import Metrics, Scored, measure
from ...model import PackagedModel
from ...transformers import LeanColumnTransformer
from .settings import Evaluation


def predict_test(
    test_table: pd.DataFrame,
    preprocessor: LeanColumnTransformer,
    model: BaseEstimator,
    guard: Guard,
    fallback: BaseEstimator,
    contract: dict[str, Any],
) -> pd.DataFrame:
    """The target of each test row beside what the packaged model will answer."""
    read = Contract.from_parameters(contract)
    packaged = PackagedModel.from_parts(read, preprocessor, model, guard, fallback)
    return pd.concat([test_table[[read.target]], packaged.predict(test_table)], axis=1)


def measure_metrics(
    test_predictions: pd.DataFrame,
    train_table: pd.DataFrame,
    contract: dict[str, Any],
    evaluation: dict[str, Any],
) -> tuple[Metrics, dict[str, dict[str, float]]]:
    """Metrics of the answers, and of a dummy that knows only the training target's distribution.

    Returns:
        The metrics by name, with `fallback_share`, the share of rows that the model did not answer, and the
        dummy's under `dummy_<name>`; and the same as MLflow takes them.
    """
    read = Contract.from_parameters(contract)
    bins = Evaluation.read("evaluation", evaluation).calibration_bins
    train_target = train_table[read.target].to_numpy()
    scored = Scored.from_predictions(test_predictions, read)
    if read.task == "regression":
        guesses = DummyRegressor().fit(train_target, train_target).predict(scored.truth)
    else:
        knows_rates = DummyClassifier(strategy="prior").fit(train_target, train_target)
        guesses = knows_rates.predict_proba(scored.truth)
    model, dummy = measure(scored, bins), measure(scored._replace(scores=guesses), bins)
    model["fallback_share"] = float(test_predictions["source"].eq("fallback").mean())
    metrics = model | {f"dummy_{name}": value for name, value in dummy.items()}
    return metrics, {name: {"value": value, "step": 0} for name, value in metrics.items()}


def plot_predictions(
    test_predictions: pd.DataFrame, contract: dict[str, Any], evaluation: dict[str, Any]
) -> dict[str, str]:
    """The plots of the task as SVG text by name."""
    read = Contract.from_parameters(contract)
    settings = Evaluation.read("evaluation", evaluation)
    truth, scores, classes = Scored.from_predictions(test_predictions, read)
    if classes is None:
        return plots.regression_plots(truth, scores)
    return plots.classification_plots(truth, scores, classes, settings.calibration_bins)


def plot_importance(
    test_table: pd.DataFrame,
    preprocessor: TransformerMixin,
    model: BaseEstimator,
    contract: dict[str, Any],
    evaluation: dict[str, Any],
    seed: int,
) -> str:
    """Permutation importance of each column of the contract on a sample of the test rows, as a plot.

    How much the score drops when one column is shuffled among the rows (Breiman 2001, "Random Forests",
    https://doi.org/10.1023/A:1010933404324).
    """
    read = Contract.from_parameters(contract)
    settings = Evaluation.read("evaluation", evaluation)
    rows = test_table.sample(min(settings.importance_rows, len(test_table)), random_state=seed)
    score, scoring = "roc_auc", "roc_auc"
    if read.task == "regression":
        score, scoring = "r2", "r2"
    elif len(model.classes_) > 2:
        # with the classes by name, because these rows may lack some
        labelled = {"labels": model.classes_, "greater_is_better": False, "response_method": "predict_proba"}
        score, scoring = "neg_log_loss", make_scorer(log_loss, **labelled)
    measured = permutation_importance(
        make_pipeline(preprocessor, model),
        read.select(rows),
        rows[read.target],
        scoring=scoring,
        n_repeats=settings.importance_repeats,
        random_state=seed,
    )
    importance = pd.DataFrame(
        {"mean": measured.importances_mean, "std": measured.importances_std}, index=read.features
    )
    return plots.importance_plot(importance, score)
