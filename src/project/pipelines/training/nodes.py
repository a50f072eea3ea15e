"""Train the estimator and the fallback that conf/base/parameters_training.yml names, and fit the guard."""

import importlib
import inspect
from typing import Any

import pandas as pd
from pydantic import Field
from sklearn.base import BaseEstimator, TransformerMixin, is_classifier, is_regressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from ...contract import Contract
from ...guard import Guard
from ...parameters import ParameterError, Section
from ...scores import score


class Estimator(Section):
    """An estimator by name: the import path of its class, and the arguments of its constructor."""

    class_path: str = Field(alias="class")
    kwargs: dict[str, Any] = Field(default_factory=dict)


def train_estimator(
    train_features: pd.DataFrame,
    train_table: pd.DataFrame,
    contract: dict[str, Any],
    estimator: dict[str, Any],
    seed: int,
) -> BaseEstimator:
    """Fit the estimator on the features (n_rows, n_features) and the target of the same rows.

    Raises:
        ParameterError: the estimator can't be built, or is not one for the contract's task.
    """
    read = Contract.from_parameters(contract)
    built = build_estimator(Estimator.read("estimator", estimator), "estimator", read, seed)
    # A plain array: without feature names to compare, the estimator answers single rows faster.
    fitted = built.fit(train_features.to_numpy(), train_table[read.target].to_numpy())
    _forget_threads(fitted)
    return fitted


def train_fallback(
    train_table: pd.DataFrame, contract: dict[str, Any], fallback: dict[str, Any], seed: int
) -> BaseEstimator:
    """Fit the fallback on the contract's raw columns and the target of the same rows.

    Raises:
        ParameterError: it can't be built or fitted, or is not one for the contract's task.
    """
    read = Contract.from_parameters(contract)
    built = _build(Estimator.read("fallback", fallback), "fallback", read, seed)
    try:
        return built.fit(read.select(train_table), train_table[read.target].to_numpy())
    except (TypeError, ValueError) as error:
        raise ParameterError(f"fallback in conf/ can't be fitted on the table's columns: {error}") from error


def fit_guard(
    train_table: pd.DataFrame,
    train_features: pd.DataFrame,
    calibration_table: pd.DataFrame,
    preprocessor: TransformerMixin,
    model: BaseEstimator,
    fallback: BaseEstimator,
    contract: dict[str, Any],
    guard: dict[str, Any],
) -> Guard:
    """Learn what the training rows look like and, from the calibration rows, how sure the model has to be."""
    read = Contract.from_parameters(contract)
    rows = read.select(calibration_table)
    return (
        Guard(guard)
        .fit(read, train_table, train_features)
        .calibrate(
            calibration_table[read.target].to_numpy(),
            score(model, preprocessor.transform(rows)),
            score(fallback, rows),
            getattr(model, "classes_", None),
        )
    )


def _forget_threads(fitted: BaseEstimator) -> None:
    """Drop the number of threads of this machine, the one thing in a boosted model that is not its own."""
    for part in fitted if isinstance(fitted, Pipeline) else [fitted]:
        mapper = getattr(part, "_bin_mapper", None)
        if mapper is not None:
            mapper.n_threads = 1


def build_estimator(settings: Estimator, section: str, contract: Contract, seed: int) -> BaseEstimator:
    """The estimator of a section of conf/, not yet fitted.

    One that can't take missing values is put behind imputation by the median and scaling.
    """
    estimator = _build(settings, section, contract, seed)
    if get_tags(estimator).input_tags.allow_nan:
        return estimator
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), estimator
    )


def _build(settings: Estimator, section: str, contract: Contract, seed: int) -> BaseEstimator:
    """Seeded where it takes a `random_state` and none is given."""
    path, arguments = settings.class_path, dict(settings.kwargs)
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


def _find_class(path: str, section: str) -> type[BaseEstimator]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ParameterError(f"{section}.class in conf/: there is no {path!r} ({error})") from error
    if not (inspect.isclass(found) and hasattr(found, "fit")):
        raise ParameterError(f"{section}.class in conf/: {path!r} is not an estimator")
    return found
