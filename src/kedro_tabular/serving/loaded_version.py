"""A version of a model in memory, and what its rows and predictions are."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mlflow.models import Model

from ..contract import Contract, classes_of
from ..registry import LoadedModel, load_model
from .local_cache import DeploymentError, VersionIdentity


class RowSchema(NamedTuple):
    """What a version takes and returns; `classes` are those that it predicts probabilities of."""

    contract: Contract
    classes: list[str]


@dataclass(frozen=True)
class LoadedVersion:
    """A version that is loaded and has predicted its input example."""

    identity: VersionIdentity
    model: LoadedModel
    contract: Contract
    classes: list[str]  # that it predicts probabilities of; none for a regression


def load_version(folder: Path, identity: VersionIdentity) -> LoadedVersion:
    """Load the version in a folder, and predict its input example. Raises DeploymentError if that fails."""
    try:
        model = load_model(folder)
        example: Any = Model.load(str(folder)).load_input_example(str(folder))
        predictions = model.predict(example)
        contract = read_schema(folder).contract
    except Exception as error:
        raise DeploymentError(f"version {identity.version} can't predict its input example: {error}") from error
    if not predictions["source"].eq("model").all():
        raise DeploymentError(f"version {identity.version} predicts its input example by the fallback")
    return LoadedVersion(identity, model, contract, classes_of(predictions.columns))


def read_schema(folder: Path) -> RowSchema:
    """What the version in a folder takes and returns."""
    config = json.loads((folder / "artifacts" / "contract.json").read_text(encoding="utf-8"))
    outputs = Model.load(str(folder)).get_output_schema()
    names = [] if outputs is None else outputs.input_names()
    return RowSchema(Contract.from_parameters(config["table"]), classes_of(names))
