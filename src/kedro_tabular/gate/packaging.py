"""Assemble the packaged model, and measure its latency and size."""

from importlib import metadata
from typing import Any, NamedTuple

import pandas as pd
from pydantic import Field
from sklearn.base import BaseEstimator

from ..contract import SOURCE, Contract
from ..kedro_project import add_project_types
from ..modelling import Guard, LeanColumnTransformer, PackagedModel, make_signature, unwrap
from ..parameters import ParameterError, Section
from ..registry import ModelPackage
from .latency import measure_latency


class Cost(NamedTuple):
    """Median latency of a single row in milliseconds, and size of the stored objects in megabytes."""

    latency_ms: float
    size_mb: float


class Packaging(Section):
    """The section `packaging` of the parameters."""

    requirements: list[str]
    example_rows: int = Field(ge=1)
    registers: bool = Field(default=True, alias="register")  # pydantic has an attribute of the name `register`


def measure_cost(
    preprocessor: LeanColumnTransformer,
    model: BaseEstimator,
    guard: Guard,
    fallback: BaseEstimator,
    model_sizes: dict[str, int],
    test_table: pd.DataFrame,
    contract: dict[str, Any],
) -> Cost:
    """The latency of the packaged model on one row, and the size of its stored objects."""
    packaged = PackagedModel.from_parts(Contract.from_parameters(contract), preprocessor, model, guard, fallback)
    return Cost(measure_latency(packaged.predict, test_table), sum(model_sizes.values()) / 1e6)


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
    decision: dict[str, Any] | None = None,
) -> ModelPackage:
    """The content of the registered version beside the stored objects, which the registry reads from their files.

    The report is an input so that the registration is the last step of a run. `decision` is that of `choose_decision`.

    Raises ParameterError if the reference profile is of another table or a requirement is not installed, and ValueError
    if the guard leaves no row of the test table to the model.
    """
    schema = Contract.from_parameters(contract)
    settings = Packaging.read("packaging", packaging)
    if profile["table"] != contract:
        raise ParameterError("the reference profile is of another table: run the training again")
    packaged = PackagedModel.from_parts(schema, preprocessor, model, guard, fallback)
    by_model = packaged.predict(test_table)[SOURCE].eq("model").to_numpy()
    if not by_model.any():
        raise ValueError("the guard leaves no row of the test table to the model: see guard in conf/")
    return ModelPackage(
        name=schema.name,
        signature=make_signature(packaged),
        input_example=schema.select(test_table)[by_model].head(settings.example_rows),
        contract={"table": contract, "trusted_types": add_project_types(trusted_types), "decision": decision or {}},
        requirements=pin_versions([*settings.requirements, *estimator_libraries(model)]),
        gate=gate,
        register=settings.registers,
    )


def estimator_libraries(model: BaseEstimator) -> list[str]:
    """The distributions that provide the estimator's class."""
    package = type(unwrap(model)).__module__.partition(".")[0]
    if package == "sklearn":  # saves the search through all distributions
        return ["scikit-learn"]
    return metadata.packages_distributions().get(package, [])


def pin_versions(requirements: list[str]) -> list[str]:
    """The requirements with their installed versions. Raises ParameterError if one is not installed."""
    try:
        return [f"{name}=={metadata.version(name)}" for name in sorted(set(requirements))]
    except metadata.PackageNotFoundError as error:
        raise ParameterError(f"packaging.requirements in conf/: {error.name} is not installed") from error
