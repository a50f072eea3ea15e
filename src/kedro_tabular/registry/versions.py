"""The model registry: versions of the packaged model in MLflow, each with the gate's verdict."""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient

from .. import lineage
from ..files import write_atomically
from ..modelling import PackagedModel
from .aliases import (
    CHALLENGER,
    CHAMPION,
    GATE,
    GATE_CHAMPION,
    GATE_FAILED,
    REFUSED,
    ROLLED_BACK,
    challenge,
    get_alias_version,
    promote,
)
from .archived_code import copy_code, model_code

logger = logging.getLogger(__name__)

FINGERPRINT = "fingerprint"
_TOLD = 3  # failed rules that the registry names; gate.json and the report have all

# What MLflow runs to build the model when it loads a version. Written out, because a file inside the package
# would be run on its own, where relative imports don't work and the package's name is not known.
_ENTRY_POINT = f"""\
from mlflow.models import set_model

from {PackagedModel.__module__} import {PackagedModel.__name__}

set_model({PackagedModel.__name__}())
"""


@dataclass(frozen=True)
class ModelPackage:
    """What a registered version is made of, beside the stored objects.

    `gate` is the verdict of the gate, as `judge` gives it.
    """

    name: str
    signature: ModelSignature
    input_example: pd.DataFrame
    contract: dict[str, Any]
    requirements: list[str]
    gate: dict[str, Any]


class RegisteredModelDataset(AbstractDataset[ModelPackage, Any]):
    """Saving registers a new version of a model, with its verdict, and deploys it if that allows.

    Args:
        filepath: where to write, as JSON and when all else is done, what the version was made of. Nothing in
            it varies from run to run, so that it can stand for the registration as an output of `dvc repro`.
        artifacts: files of the stored objects by name, copied into the version as they are.
        environment: the lock file of the environment, archived with the run.
        metadata: anything; Kedro ignores it.
    """

    def __init__(
        self, filepath: str, artifacts: dict[str, str], environment: str, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata
        self._artifacts = artifacts
        self._environment = environment

    def save(self, data: ModelPackage) -> None:
        """Log the model to the active run, register it and, last, move the aliases as the verdict says."""
        mlflow.log_artifact(self._environment)
        version = find_version(data, self._artifacts) or register(data, self._artifacts)
        deploy(data.name, version, data.gate)
        made_of = {"artifacts": md5_by_name(self._artifacts), "contract": data.contract}
        write_atomically(self._filepath, json.dumps(made_of, indent=2))

    def load(self) -> Any:
        """Refuse: the dataset `champion` loads the version that is deployed."""
        raise DatasetError("a version can only be registered here; the dataset `champion` loads it")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def deploy(name: str, version: str, gate: dict[str, Any]) -> None:
    """Tag a version with the gate's verdict, and let it take the place that the verdict gives it."""
    client, shown = MlflowClient(), f"{name} version {version}"
    champion = get_alias_version(name, CHAMPION)
    if version == champion:
        logger.info("%s is champion already", shown)
        return
    failed = [rule["rule"] for rule in gate["rules"] if not rule["passed"]]
    told = ", ".join(failed[:_TOLD]) + (f" and {len(failed) - _TOLD} more" if len(failed) > _TOLD else "")
    tags = {GATE: gate["verdict"], GATE_FAILED: told, GATE_CHAMPION: gate["champion"] or "none"}
    for tag, value in tags.items():
        client.set_model_version_tag(name, version, tag, value)
    withdrawn = ROLLED_BACK + "at" in client.get_model_version(name, version).tags
    if gate["verdict"] == REFUSED:
        logger.warning("%s is refused by the gate: %s", shown, told)
        if get_alias_version(name, CHALLENGER) == version:
            client.delete_registered_model_alias(name, CHALLENGER)
    elif gate["promote"] == "manual" or withdrawn or champion != gate["champion"]:
        challenge(name, version)
        reason = "it was rolled back" if withdrawn else "promote is manual"
        if champion != gate["champion"]:
            reason = f"the champion became version {champion} while this one was judged"
        logger.info("%s passed the gate and is challenger (%s): kedro promote %s", shown, reason, version)
    else:
        promote(name, version, f"passed the gate against version {champion or 'none'}")
        logger.info("%s passed the gate and is champion", shown)


def register(package: ModelPackage, artifacts: dict[str, str]) -> str:
    """Log the packaged model to the active run and register it. Returns the new version's number."""
    with TemporaryDirectory() as folder:
        code = copy_code(Path(folder) / "code", artifacts)
        entry_point = Path(folder) / "packaged_model.py"
        entry_point.write_text(_ENTRY_POINT)
        contract = Path(folder) / "contract.json"
        contract.write_text(json.dumps(package.contract))
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(entry_point),
            artifacts=artifacts | {"contract": str(contract)},
            code_paths=code,
            signature=package.signature,
            input_example=package.input_example,
            pip_requirements=package.requirements,
        )
    client = MlflowClient()
    try:
        client.create_registered_model(package.name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    origin = (lineage.DATA, lineage.GIT, lineage.ENVIRONMENT)
    tags = client.get_run(logged.run_id).data.tags
    version = client.create_model_version(
        package.name,
        source=logged.model_uri,
        run_id=logged.run_id,
        model_id=logged.model_id,
        tags={name: value for name, value in tags.items() if name.startswith(origin)}
        | {FINGERPRINT: fingerprint(package, artifacts), GATE: package.gate["verdict"]},
    )
    return str(version.version)


def find_version(package: ModelPackage, artifacts: dict[str, str]) -> str | None:
    """The version that the active run has already registered of this very model, if it was interrupted."""
    run = mlflow.active_run()
    made_by = f"name = '{package.name}' and run_id = '{run.info.run_id if run else None}'"
    known = fingerprint(package, artifacts)
    for version in MlflowClient().search_model_versions(made_by):
        if version.tags.get(FINGERPRINT) == known:
            return str(version.version)
    return None


def fingerprint(package: ModelPackage, artifacts: dict[str, str]) -> str:
    """An md5 over all that makes a version: stored objects, contract, requirements and the model's code."""
    code = {path.as_posix(): lineage.content_md5(file) for path, file in model_code(artifacts).items()}
    parts = [md5_by_name(artifacts), package.contract, package.requirements, code]
    return hashlib.md5(json.dumps(parts, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def md5_by_name(files: dict[str, str]) -> dict[str, str]:
    """The md5 of each file by its name."""
    return {name: lineage.content_md5(Path(path)) for name, path in files.items()}
