"""The one preprocessing pipeline, fitted on the training rows and used everywhere."""

from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer

from kedro_tabular.contract import Contract
from kedro_tabular.modelling import Features, build_preprocessor, fit_features

from ... import features as functions


def fit_preprocessor(
    train_table: pd.DataFrame, contract: dict[str, Any], features: dict[str, Any], seed: int
) -> tuple[ColumnTransformer, pd.DataFrame]:
    """The preprocessing, fitted on the training rows, and their features.

    `build_preprocessor` gives a scikit-learn ColumnTransformer: steps of your own can be added to it here.
    """
    schema, settings = Contract.from_parameters(contract), Features.read("features", features)
    preprocessor = build_preprocessor(schema, settings, functions, train_table, seed)
    train_features = fit_features(preprocessor, schema.select(train_table), train_table[schema.target])
    return preprocessor, train_features
