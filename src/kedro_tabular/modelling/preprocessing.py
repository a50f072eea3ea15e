"""The preprocessing pipeline, built from `params:features`."""

from types import ModuleType
from typing import Literal

import pandas as pd
from pydantic import Field
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import KFold, StratifiedKFold

from ..contract import Contract
from ..parameters import ParameterError, Section
from .dates import DatetimeParts, DaysBetween
from .explanation import TREE_PACKAGES
from .one_hot import OneHot
from .transformers import CategoryCodes, Derived, LeanColumnTransformer, Numbers, TargetMeans

_FOLDS = 5  # scikit-learn's default for cross-fitting a target encoder


class FeatureSettings(Section):
    """`params:features`: how columns become features."""

    encoding: Literal["auto", "ordinal", "one_hot"] = "auto"
    max_codes: int = Field(ge=1)
    min_category_rows: int = Field(default=10, ge=1)
    datetime_parts: list[str]
    derived: dict[str, list[str]] = Field(default_factory=dict)


def build_preprocessor(
    contract: Contract,
    features: FeatureSettings,
    estimator_class: str,
    functions: ModuleType,
    train_table: pd.DataFrame,
    seed: int,
) -> ColumnTransformer:
    """Build the preprocessing: an unfitted scikit-learn transformer, to which steps can be added.

    Args:
        contract: the columns and their types.
        features: how they become features.
        estimator_class: the import path of the estimator. Trees split ordinal codes where they like; other estimators
            take a code for an amount, so they get a column of 0 and 1 for each category.
        functions: the module with the functions that `features.derived` names.
        train_table: the training rows, in which the values of each category are counted.
        seed: of the target encoder's folds.

    Raises:
        ParameterError: a derived feature has no function, or columns that are not in the contract.
    """
    _check_derived(contract, features, functions)
    categories = contract.of_type("category")
    many = [name for name in categories if train_table[name].nunique() > features.max_codes]
    few = [name for name in categories if name not in many]
    datetimes = contract.of_type("datetime")
    steps = [
        _encoder(features, estimator_class, few),
        ("target_means", _target_means(contract, train_table, seed), many),
        ("numbers", Numbers(), contract.of_type("number")),
        ("datetimes", DatetimeParts(features.datetime_parts), datetimes),
        ("days_between", DaysBetween(), datetimes if len(datetimes) > 1 else []),
    ]
    for name, columns in features.derived.items():
        steps.append((f"derived_{name}", Derived(f"{functions.__name__}.{name}"), columns))
    return LeanColumnTransformer([step for step in steps if step[2]], verbose_feature_names_out=False)


def fit_features(preprocessor: ColumnTransformer, rows: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
    """Fit the preprocessing on training rows. Returns their features, of shape (n_rows, n_features).

    Target encodings are cross-fitted here, unlike in a later `transform` of the same rows, so that the estimator does
    not learn from each row's own target.
    """
    features = preprocessor.fit_transform(rows, target)
    try:
        names = preprocessor.get_feature_names_out()
    except ValueError:  # two features have the same name, such as `when_hour` and the hour of `when`
        names = preprocessor.set_params(verbose_feature_names_out=True).get_feature_names_out()
    return pd.DataFrame(features, columns=names)


def _encoder(
    features: FeatureSettings, estimator_class: str, columns: list[str]
) -> tuple[str, CategoryCodes | OneHot, list[str]]:
    is_tree_based = estimator_class.startswith(TREE_PACKAGES)
    if features.encoding == "one_hot" or (features.encoding == "auto" and not is_tree_based):
        return "one_hot", OneHot(features.min_category_rows), columns
    return "codes", CategoryCodes(), columns


def _target_means(contract: Contract, train_table: pd.DataFrame, seed: int) -> TargetMeans:
    folds = KFold if contract.task == "regression" else StratifiedKFold
    n_classes = train_table[contract.target].nunique()
    # "auto" takes whole numbers for classes
    kind = "continuous" if contract.task == "regression" else "binary" if n_classes == 2 else "multiclass"
    return TargetMeans(target_type=kind, cv=folds(_FOLDS, shuffle=True, random_state=seed))


def _check_derived(contract: Contract, features: FeatureSettings, functions: ModuleType) -> None:
    for name, columns in features.derived.items():
        key = f"features.derived.{name} in conf/"
        unknown = [column for column in columns if column not in contract.columns]
        if unknown or not columns:
            raise ParameterError(f"{key} needs columns of the contract, got {columns}")
        if not callable(getattr(functions, name, None)):
            raise ParameterError(f"{key}: features.py has no function of that name")
