"""Estimators that conf/ names: built, checked against the task, and fitted."""

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
from sklearn.utils import get_tags

from ..contract import Contract
from ..parameters import ParameterError, Section
from .labels import EncodedLabels, NumberScaler
from .threads import threads_for_fit


class EstimatorSettings(Section):
    """The import path of an estimator's class, and the arguments of its constructor."""

    class_path: str = Field(alias="class")
    kwargs: dict[str, Any] = Field(default_factory=dict)


def build_estimator(settings: Mapping[str, Any], section: str, contract: Contract, seed: int) -> BaseEstimator:
    """Build the unfitted estimator of a section of conf/, with `seed` as `random_state` unless the section sets one.

    Raises ParameterError if the estimator can't be built, or is not for the task of the contract.
    """
    parsed = EstimatorSettings.read(section, settings)
    path, arguments = parsed.class_path, dict(parsed.kwargs)
    estimator_class = _import_class(path, section)
    if "random_state" in inspect.signature(estimator_class).parameters:
        arguments.setdefault("random_state", seed)
    try:
        estimator = estimator_class(**arguments)
        _validate_parameters(estimator)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{section}.kwargs in conf/ is not valid for {path}: {error}") from error
    fits_task = is_classifier if contract.task == "classification" else is_regressor
    if not fits_task(estimator):
        raise ParameterError(f"{section}.class: {path} is not for table.task {contract.task}")
    if contract.task == "classification" and not hasattr(estimator, "predict_proba"):
        raise ParameterError(f"{section}.class: {path} has no predict_proba")
    return estimator


def with_input_steps(estimator: BaseEstimator) -> BaseEstimator:
    """The estimator with what it needs around it.

    Median imputation and scaling of numbers come before one that does not accept missing values. A classifier of
    another library than scikit-learn gets its classes as numbers from 0, because some accept nothing else.
    """
    if is_classifier(estimator) and not type(estimator).__module__.startswith("sklearn."):
        estimator = EncodedLabels(estimator)
    if get_tags(estimator).input_tags.allow_nan:
        return estimator
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), NumberScaler(), estimator)


def fit_on_features(estimator: BaseEstimator, features: pd.DataFrame, target: pd.Series) -> BaseEstimator:
    """Fit an estimator on features of shape (n_rows, n_features) and the target of the same rows."""
    # an array: an estimator without feature names to compare predicts single rows faster
    with threads_for_fit(features.size):
        fitted = estimator.fit(features.to_numpy(), target.to_numpy())
    _reset_threads(fitted)
    return fitted


def fit_on_columns(estimator: BaseEstimator, rows: pd.DataFrame, target: np.ndarray, section: str) -> BaseEstimator:
    """Fit an estimator on the contract's raw columns. Raises ParameterError if it can't be fitted on them."""
    try:
        return estimator.fit(rows, target)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{section} in conf/ can't be fitted on the table's columns: {error}") from error


def _validate_parameters(estimator: BaseEstimator) -> None:
    """Check the values of parameters before `fit`, for which scikit-learn has no public method."""
    if hasattr(estimator, "_parameter_constraints") and hasattr(estimator, "_validate_params"):
        estimator._validate_params()


def _reset_threads(fitted: BaseEstimator) -> None:
    """Remove the machine's number of threads from a boosted model, so that its bytes do not depend on the machine."""
    for step in fitted if isinstance(fitted, Pipeline) else [fitted]:
        bin_mapper = getattr(step, "_bin_mapper", None)  # scikit-learn has no public name for it
        if bin_mapper is not None:
            bin_mapper.n_threads = 1


def _import_class(path: str, section: str) -> type[BaseEstimator]:
    module, _, name = path.rpartition(".")
    try:
        imported = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ParameterError(f"{section}.class in conf/: there is no {path!r} ({error})") from error
    if not (inspect.isclass(imported) and hasattr(imported, "fit")):
        raise ParameterError(f"{section}.class in conf/: {path!r} is not an estimator")
    return imported
