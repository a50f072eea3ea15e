"""The one preprocessing pipeline, fitted on the training rows and used for training and serving."""

from typing import Any

import pandas as pd
from kedro_tabular.contract import Contract
from kedro_tabular.modelling import FeatureSettings, build_preprocessor, fit_features
from sklearn.compose import ColumnTransformer

from ... import features as functions


def fit_preprocessor(
    train_table: pd.DataFrame, contract: dict[str, Any], features: dict[str, Any], estimator_class: str, seed: int
) -> tuple[ColumnTransformer, pd.DataFrame]:
    """The preprocessor that suits the estimator, fitted on the training rows, and the features of these rows.

    `build_preprocessor` returns a scikit-learn ColumnTransformer, to which you can add steps of your own here.
    """
    schema, settings = Contract.from_parameters(contract), FeatureSettings.read("features", features)
    preprocessor = build_preprocessor(schema, settings, estimator_class, functions, train_table, seed)
    train_features = fit_features(preprocessor, schema.select(train_table), train_table[schema.target])
    return preprocessor, train_features
