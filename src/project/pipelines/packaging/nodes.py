"""Put the packaged model together, and decide whether it may be champion."""

import logging
from importlib import metadata
from typing import Any

import pandas as pd
from pydantic import Field
from sklearn.base import BaseEstimator, TransformerMixin

from ...contract import Contract
from ...model import PackagedModel
from ...parameters import ParameterError, Section
from ...registry import Package

logger = logging.getLogger(__name__)


class Threshold(Section):
    """The values that a metric may take."""

    min: float = float("-inf")
    max: float = float("inf")


class Packaging(Section):
    """What goes with the model, and what its metrics must reach."""

    requirements: list[str]
    example_rows: int = Field(ge=1)
    thresholds: dict[str, Threshold]


def check_thresholds(metrics: dict[str, float], packaging: dict[str, Any]) -> list[str]:
    """What speaks against the model: a line for each metric outside its threshold; empty if it passes.

    Raises:
        ParameterError: a threshold is for a metric that the evaluation does not have.
    """
    thresholds = Packaging.read("packaging", packaging).thresholds
    unknown = [f"packaging.thresholds.{name}" for name in thresholds if name not in metrics]
    if unknown:
        raise ParameterError(f"{', '.join(unknown)} in conf/: there are only the metrics {sorted(metrics)}")
    objections = [
        f"{name} is {metrics[name]:.4f}, outside {threshold.min:g} to {threshold.max:g}"
        for name, threshold in thresholds.items()
        # not the other way round: a metric that is NaN must not pass
        if not threshold.min <= metrics[name] <= threshold.max
    ]
    for objection in objections:
        logger.warning("threshold: %s", objection)
    return objections


def package_model(
    preprocessor: TransformerMixin,
    model: BaseEstimator,
    test_table: pd.DataFrame,
    objections: list[str],
    report: str,
    contract: dict[str, Any],
    packaging: dict[str, Any],
    trusted_types: list[str],
) -> Package:
    """All that makes the registered version, for the registry to store.

    The report is not part of it, but must be done before: what is registered is the last thing a run does.
    """
    read = Contract.from_parameters(contract)
    settings = Packaging.read("packaging", packaging)
    packaged = PackagedModel.from_parts(read, preprocessor, model)
    example = read.select(test_table).head(settings.example_rows)
    broken = packaged.predict(example)["source"].ne("model")
    if broken.any():
        raise ValueError(f"the packaged model refuses {broken.sum()} rows of its own test table")
    return Package(
        name=read.name,
        signature=packaged.signature(),
        input_example=example,
        contract={"table": contract, "trusted_types": trusted_types},
        requirements=pin([*settings.requirements, *libraries_of(model)]),
        objections=objections,
    )


def libraries_of(model: BaseEstimator) -> list[str]:
    """The installed distributions that the estimator's class comes from."""
    package = type(model).__module__.partition(".")[0]
    if package == "sklearn":  # without the search through all that is installed
        return ["scikit-learn"]
    return metadata.packages_distributions().get(package, [])


def pin(requirements: list[str]) -> list[str]:
    """Each requirement with its installed version. Raises ParameterError for one that is not installed."""
    try:
        return [f"{name}=={metadata.version(name)}" for name in sorted(set(requirements))]
    except metadata.PackageNotFoundError as error:
        raise ParameterError(f"packaging.requirements in conf/: {error.name} is not installed") from error
