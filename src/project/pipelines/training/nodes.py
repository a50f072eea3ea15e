"""Train the estimator and the fallback of conf/base/parameters_training.yml, and fit the guard."""

from typing import Any

import pandas as pd
from kedro_tabular.contract import Contract
from kedro_tabular.modelling import Guard, build_estimator, fit_on_columns, fit_on_features, score, with_input_steps
from sklearn.base import BaseEstimator, TransformerMixin


def train_estimator(
    train_features: pd.DataFrame,
    train_table: pd.DataFrame,
    contract: dict[str, Any],
    estimator: dict[str, Any],
    seed: int,
) -> BaseEstimator:
    """Fit the estimator on the features (n_rows, n_features) and the target of the same rows."""
    schema = Contract.from_parameters(contract)
    unfitted = with_input_steps(build_estimator(estimator, "estimator", schema, seed))
    return fit_on_features(unfitted, train_features, train_table[schema.target])


def train_fallback(
    train_table: pd.DataFrame, contract: dict[str, Any], fallback: dict[str, Any], seed: int
) -> BaseEstimator:
    """Fit the fallback on the contract's raw columns and the target of the same rows."""
    schema = Contract.from_parameters(contract)
    unfitted = build_estimator(fallback, "fallback", schema, seed)
    rows, target = schema.select(train_table), train_table[schema.target].to_numpy()
    return fit_on_columns(unfitted, rows, target, "fallback")


def fit_guard(
    train_table: pd.DataFrame,
    train_features: pd.DataFrame,
    calibration_table: pd.DataFrame,
    preprocessor: TransformerMixin,
    model: BaseEstimator,
    contract: dict[str, Any],
    guard: dict[str, Any],
) -> Guard:
    """Fit the guard on the training rows, and calibrate its check of confidence on the calibration rows."""
    schema = Contract.from_parameters(contract)
    rows, target = schema.select(calibration_table), calibration_table[schema.target].to_numpy()
    scores = score(model, preprocessor.transform(rows))
    fitted = Guard(guard).fit(schema, train_table, train_features)
    return fitted.calibrate(target, scores, getattr(model, "classes_", None))
