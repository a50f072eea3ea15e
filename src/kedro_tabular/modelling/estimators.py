"""Estimators by name: built from a section of conf/, checked against the task, and fitted."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from ..contract import Contract
from ..parameters import ParameterError, Section


class Estimator(Section):
    """An estimator by name: the import path of its class, and the arguments of its constructor."""

    class_path: str = Field(alias="class")
    kwargs: dict[str, Any] = Field(default_factory=dict)


def build_estimator(settings: Mapping[str, Any], section: str, contract: Contract, seed: int) -> BaseEstimator:
    """The estimator of a section of conf/, not yet fitted, seeded where it takes a `random_state` and has none.

    Args:
        settings: the values of the section.
        section: its name, for messages.
        contract: names the task.
        seed: for `random_state`.

    Raises:
        ParameterError: it can't be built, or is not one for the task.
    """
    read = Estimator.read(section, settings)
    path, arguments = read.class_path, dict(read.kwargs)
    estimator_class = _find_class(path, section)
    if "random_state" in inspect.signature(estimator_class).parameters:
        arguments.setdefault("random_state", seed)
    try:
        estimator = estimator_class(**arguments)
        if hasattr(estimator, "_parameter_constraints"):  # scikit-learn checks values only when fitting
            estimator._validate_params()
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{section}.kwargs in conf/ does not fit {path}: {error}") from error
    fits_task = is_classifier if contract.task == "classification" else is_regressor
    if not fits_task(estimator):
        raise ParameterError(f"{section}.class: {path} is not for table.task {contract.task}")
    if contract.task == "classification" and not hasattr(estimator, "predict_proba"):
        raise ParameterError(f"{section}.class: {path} gives no probabilities (predict_proba)")
    return estimator


def with_imputation(estimator: BaseEstimator) -> BaseEstimator:
    """The estimator; one that does not take missing values behind median imputation and scaling."""
    if get_tags(estimator).input_tags.allow_nan:
        return estimator
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), estimator)


def fit_on_features(estimator: BaseEstimator, features: pd.DataFrame, target: pd.Series) -> BaseEstimator:
    """Fit an estimator on features of shape (n_rows, n_features) and the target of the same rows."""
    # A plain array: without feature names to compare, the estimator predicts single rows faster.
    fitted = estimator.fit(features.to_numpy(), target.to_numpy())
    _forget_threads(fitted)
    return fitted


def fit_on_columns(estimator: BaseEstimator, rows: pd.DataFrame, target: np.ndarray, section: str) -> BaseEstimator:
    """Fit an estimator on the contract's raw columns. Raises ParameterError if it does not take these."""
    try:
        return estimator.fit(rows, target)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{section} in conf/ can't be fitted on the table's columns: {error}") from error


def _forget_threads(fitted: BaseEstimator) -> None:
    """Drop the number of threads of this machine, the one thing in a boosted model that is not its own."""
    for part in fitted if isinstance(fitted, Pipeline) else [fitted]:
        mapper = getattr(part, "_bin_mapper", None)
        if mapper is not None:
            mapper.n_threads = 1


def _find_class(path: str, section: str) -> type[BaseEstimator]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ParameterError(f"{section}.class in conf/: there is no {path!r} ({error})") from error
    if not (inspect.isclass(found) and hasattr(found, "fit")):
        raise ParameterError(f"{section}.class in conf/: {path!r} is not an estimator")
    return found
