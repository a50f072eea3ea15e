"""The one preprocessing pipeline, fitted on the training rows and used everywhere."""

from typing import Any

import pandas as pd
from pydantic import Field
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import KFold, StratifiedKFold

from ... import features as own
from ...contract import Contract
from ...parameters import ParameterError, Section
from ...transformers import CategoryCodes, DatetimeParts, Derived, LeanColumnTransformer, Numbers, TargetMeans

_FOLDS = 5  # scikit-learn's default for cross-fitting a target encoder


class Features(Section):
    """How columns become features."""

    max_codes: int = Field(ge=1)
    datetime_parts: list[str]
    derived: dict[str, list[str]] = Field(default_factory=dict)


def fit_preprocessor(
    train_table: pd.DataFrame, contract: dict[str, Any], features: dict[str, Any], seed: int
) -> tuple[ColumnTransformer, pd.DataFrame]:
    """Fit the preprocessing on the training rows.

    Returns:
        The fitted preprocessor, and the training features. The features are what `fit_transform` gives: where
        the target is encoded they are cross-fitted, unlike a later `transform` of the same rows, so that
        the estimator doesn't learn from each row's own answer.
    """
    read = Contract.from_parameters(contract)
    settings = Features.read("features", features)
    preprocessor = build_preprocessor(read, settings, train_table, seed)
    made = preprocessor.fit_transform(read.select(train_table), train_table[read.target])
    try:
        names = preprocessor.get_feature_names_out()
    except ValueError:  # two have one name, as `when_hour` and the hour of `when`
        names = preprocessor.set_params(verbose_feature_names_out=True).get_feature_names_out()
    return preprocessor, pd.DataFrame(made, columns=names)


def build_preprocessor(
    contract: Contract, features: Features, train_table: pd.DataFrame, seed: int
) -> ColumnTransformer:
    """The preprocessing, not yet fitted: an ordinary scikit-learn transformer to add steps to.

    Training rows are needed to count the values of each category.

    Raises:
        ParameterError: a derived feature has no function, or is made of columns that there are not.
    """
    _check_derived(contract, features)
    categories = contract.of_type("category")
    many = [name for name in categories if train_table[name].nunique() > features.max_codes]
    few = [name for name in categories if name not in many]
    folds = StratifiedKFold if contract.task == "classification" else KFold
    steps = [
        ("codes", CategoryCodes(), few),
        ("target_means", TargetMeans(cv=folds(_FOLDS, shuffle=True, random_state=seed)), many),
        ("numbers", Numbers(), contract.of_type("number")),
        ("datetimes", DatetimeParts(features.datetime_parts), contract.of_type("datetime")),
        *((f"derived_{name}", Derived(name), columns) for name, columns in features.derived.items()),
    ]
    return LeanColumnTransformer([step for step in steps if step[2]], verbose_feature_names_out=False)


def _check_derived(contract: Contract, features: Features) -> None:
    for name, columns in features.derived.items():
        key = f"features.derived.{name} in conf/"
        absent = [column for column in columns if column not in contract.columns]
        if absent or not columns:
            raise ParameterError(f"{key} takes columns of the contract, and not {absent}")
        if not callable(getattr(own, name, None)):
            raise ParameterError(f"{key}: features.py has no function of that name")
