"""Put the packaged model together, and measure what it costs."""

import statistics
import time
from importlib import metadata
from typing import Any

import pandas as pd
from pydantic import Field
from sklearn.base import BaseEstimator

from ..contract import Contract
from ..modelling import Guard, LeanColumnTransformer, PackagedModel
from ..parameters import ParameterError, Section
from ..project import trust_own_types
from ..registry import ModelPackage
from .rules import Cost

_TIMED_ROWS = 30


class Packaging(Section):
    """What goes with the model."""

    requirements: list[str]
    example_rows: int = Field(ge=1)


def measure_cost(
    preprocessor: LeanColumnTransformer,
    model: BaseEstimator,
    guard: Guard,
    fallback: BaseEstimator,
    model_sizes: dict[str, int],
    test_table: pd.DataFrame,
    contract: dict[str, Any],
) -> Cost:
    """How long the packaged model takes for a single row, and how large its stored objects are.

    The time is the median over some rows, after one to warm up.
    """
    read = Contract.from_parameters(contract)
    packaged = PackagedModel.from_parts(read, preprocessor, model, guard, fallback)
    seconds = []
    for position in range(_TIMED_ROWS + 1):
        row = test_table.iloc[[position % len(test_table)]]
        started = time.perf_counter()
        packaged.predict(row)
        seconds.append(time.perf_counter() - started)
    return Cost(statistics.median(seconds[1:]) * 1000, sum(model_sizes.values()) / 1e6)


def package_model(
    preprocessor: LeanColumnTransformer,
    model: BaseEstimator,
    guard: Guard,
    fallback: BaseEstimator,
    profile: dict[str, Any],
    test_table: pd.DataFrame,
    gate: dict[str, Any],
    report: str,
    contract: dict[str, Any],
    packaging: dict[str, Any],
    trusted_types: list[str],
) -> ModelPackage:
    """All that makes the registered version, for the registry to store.

    The registry takes the reference profile from its file, like all that is stored; it must be of these rows.
    The report is not part of it, but must be done before: what is registered is the last thing a run does.

    Raises:
        ParameterError: the profile is of another table, or a requirement is not installed.
    """
    read = Contract.from_parameters(contract)
    settings = Packaging.read("packaging", packaging)
    if profile["table"] != contract:
        raise ParameterError("the reference profile is of another table: run the training again")
    packaged = PackagedModel.from_parts(read, preprocessor, model, guard, fallback)
    answered = packaged.predict(test_table)["source"].eq("model").to_numpy()
    if not answered.any():
        raise ValueError("the guard leaves no row of the test table to the model: see guard in conf/")
    example = read.select(test_table)[answered].head(settings.example_rows)
    return ModelPackage(
        name=read.name,
        signature=packaged.signature(),
        input_example=example,
        contract={"table": contract, "trusted_types": trust_own_types(trusted_types)},
        requirements=pin([*settings.requirements, *libraries_of(model)]),
        gate=gate,
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
