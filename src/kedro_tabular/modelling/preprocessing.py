"""The preprocessing pipeline that conf/base/parameters_feature_engineering.yml describes."""

from types import ModuleType

import pandas as pd
from pydantic import Field
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import KFold, StratifiedKFold

from ..contract import Contract
from ..parameters import ParameterError, Section
from .transformers import CategoryCodes, DatetimeParts, Derived, LeanColumnTransformer, Numbers, TargetMeans

_FOLDS = 5  # scikit-learn's default for cross-fitting a target encoder


class Features(Section):
    """How columns become features."""

    max_codes: int = Field(ge=1)
    datetime_parts: list[str]
    derived: dict[str, list[str]] = Field(default_factory=dict)


def build_preprocessor(
    contract: Contract, features: Features, functions: ModuleType, train_table: pd.DataFrame, seed: int
) -> ColumnTransformer:
    """The preprocessing, not yet fitted: an ordinary scikit-learn transformer to add steps to.

    Args:
        contract: names the columns and their types.
        features: how they become features.
        functions: the module of the functions that `features.derived` names.
        train_table: the training rows, to count the values of each category.
        seed: of the folds of the target encoder.

    Raises:
        ParameterError: a derived feature has no function, or is made of columns that there are not.
    """
    _check_derived(contract, features, functions)
    categories = contract.of_type("category")
    many = [name for name in categories if train_table[name].nunique() > features.max_codes]
    few = [name for name in categories if name not in many]
    folds = StratifiedKFold if contract.task == "classification" else KFold
    derived = [
        (f"derived_{name}", Derived(f"{functions.__name__}.{name}"), columns)
        for name, columns in features.derived.items()
    ]
    steps = [
        ("codes", CategoryCodes(), few),
        ("target_means", TargetMeans(cv=folds(_FOLDS, shuffle=True, random_state=seed)), many),
        ("numbers", Numbers(), contract.of_type("number")),
        ("datetimes", DatetimeParts(features.datetime_parts), contract.of_type("datetime")),
        *derived,
    ]
    return LeanColumnTransformer([step for step in steps if step[2]], verbose_feature_names_out=False)


def fit_features(preprocessor: ColumnTransformer, rows: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
    """Fit the preprocessing on training rows, and give their features by name, shape (n_rows, n_features).

    Where the target is encoded, they are cross-fitted, unlike a later `transform` of the same rows, so that the
    estimator does not learn from each row's own target.
    """
    features = preprocessor.fit_transform(rows, target)
    try:
        names = preprocessor.get_feature_names_out()
    except ValueError:  # two have one name, as `when_hour` and the hour of `when`
        names = preprocessor.set_params(verbose_feature_names_out=True).get_feature_names_out()
    return pd.DataFrame(features, columns=names)


def _check_derived(contract: Contract, features: Features, functions: ModuleType) -> None:
    for name, columns in features.derived.items():
        key = f"features.derived.{name} in conf/"
        absent = [column for column in columns if column not in contract.columns]
        if absent or not columns:
            raise ParameterError(f"{key} takes columns of the contract, and not {absent}")
        if not callable(getattr(functions, name, None)):
            raise ParameterError(f"{key}: features.py has no function of that name")
