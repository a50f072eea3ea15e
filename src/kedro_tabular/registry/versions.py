"""The model registry: versions of the packaged model in MLflow, each with the gate's verdict."""

import json
import logging
from collections.abc import Mapping
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
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from ..contract import describe_where
from ..files import check_room, replaced
from ..kedro_project import package_name
from ..lineage import bytes_md5, content_md5, version_tags
from ..modelling import PackagedModel
from .archived_code import copy_code, model_code
from .description import describe_version
from .promotion import EXPERIMENT, deploy, experiment_name, verdict_tags

logger = logging.getLogger(__name__)

FINGERPRINT = "fingerprint"
_SQLITE = "sqlite:///"
_STORE_ROOM = 1_000_000  # bytes; to register, to promote and to end the run take less than a tenth of it

# The script that MLflow runs to build the model when it loads a version. Generated, because MLflow runs a file of the
# package on its own, where relative imports don't work and the package's name is not known.
_ENTRY_POINT = f"""\
from mlflow.models import set_model

from {PackagedModel.__module__} import {PackagedModel.__name__}

set_model({PackagedModel.__name__}())
"""


@dataclass(frozen=True)
class ModelPackage:
    """What a registered version is made of, in addition to the stored objects.

    `gate` is the verdict of the gate, as returned by `apply_rules`. Without `register`, no version is registered.
    """

    name: str
    signature: ModelSignature
    input_example: pd.DataFrame
    contract: dict[str, Any]
    requirements: list[str]
    gate: dict[str, Any]
    register: bool = True


class RegisteredModelDataset(AbstractDataset[ModelPackage, Any]):
    """Saving registers a new version of a model with its verdict, and deploys it if the verdict allows that.

    Args:
        filepath: a JSON file, written last, with what the version was made of. It is the same for every run of the
            same model, so that it can represent the registration as an output of `dvc repro`.
        artifacts: files of the stored objects by name, copied into the version unchanged.
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
        if not Path(self._environment).is_file():  # as where a packaged project runs
            raise DatasetError(f"{self._environment} is missing: copy it here, as each version archives it")
        mlflow.log_artifact(self._environment)
        content: dict[str, Any] = {"artifacts": artifact_md5s(self._artifacts), "contract": data.contract}
        if not data.register:
            content["registered"] = False
        with replaced(self._filepath) as partial:  # takes its room before anything is registered
            partial.write_text(json.dumps(content, indent=2), encoding="utf-8")
            if data.register:
                self._register(data)
            else:
                logger.warning("no version of %s is registered: packaging.register is false", data.name)

    def _register(self, data: ModelPackage) -> None:
        version, experiment = find_version(data, self._artifacts), experiment_name()
        if version is None:
            version = register(data, self._artifacts)
        elif experiment:  # with other rules: the verdict of the gate on what is registered stays as it is
            logger.info("%s version %s is the model of the experiment %s", data.name, version, experiment)
            return
        deploy(data.name, version, data.gate)

    def load(self) -> Any:
        """Raise DatasetError: the dataset `champion` loads the deployed version."""
        raise DatasetError("this dataset only registers versions; the dataset `champion` loads the deployed one")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def register(package: ModelPackage, artifacts: dict[str, str]) -> str:
    """Log the packaged model to the active run and register it. Returns the new version's number."""
    with TemporaryDirectory() as folder:
        code = copy_code(Path(folder) / "code", artifacts)
        entry_point = Path(folder) / "packaged_model.py"
        entry_point.write_text(_ENTRY_POINT, encoding="utf-8")
        contract = Path(folder) / "contract.json"
        contract.write_text(json.dumps(package.contract), encoding="utf-8")
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(entry_point),
            artifacts=artifacts | {"contract": str(contract)},
            code_paths=code,
            signature=package.signature,
            input_example=package.input_example,
            pip_requirements=package.requirements,
        )
    store = mlflow.get_registry_uri()
    if store.startswith(_SQLITE):  # what follows is several transactions: all of them, or none
        check_room(Path(store.removeprefix(_SQLITE)).absolute().parent, _STORE_ROOM)
    client = MlflowClient()
    create_model(client, package.name, _describe_model(package.contract.get("table", {})))
    run = client.get_run(logged.run_id)
    description, tags = describe_version(package.gate, run), version_tags(run.data.tags)
    experiment = experiment_name()
    if experiment:
        tags[EXPERIMENT] = experiment
    version = client.create_model_version(
        package.name,
        source=logged.model_uri,
        run_id=logged.run_id,
        model_id=logged.model_id,
        tags=tags | {FINGERPRINT: fingerprint(package, artifacts)} | verdict_tags(package.gate),
        description=description,
    )
    if MLFLOW_RUN_NOTE not in run.data.tags:
        client.set_tag(logged.run_id, MLFLOW_RUN_NOTE, description)
    return str(version.version)


def create_model(client: MlflowClient, name: str, tags: dict[str, str] | None = None) -> None:
    """Create a registered model with these tags, unless it exists."""
    try:
        client.create_registered_model(name, tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _describe_model(table: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a registered model: the project, the rows that it is for, what it predicts."""
    segment = describe_where(table["where"]) if table.get("where") else "all rows"
    return {"project": str(package_name()), "segment": segment, "target": str(table.get("target", ""))}


def find_version(package: ModelPackage, artifacts: dict[str, str]) -> str | None:
    """The version of the same model that the active run has registered before it was interrupted, if any."""
    run = mlflow.active_run()
    same_run = f"name = '{package.name}' and run_id = '{run.info.run_id if run else None}'"
    expected = fingerprint(package, artifacts)
    versions = MlflowClient().search_model_versions(same_run)
    return next((str(version.version) for version in versions if version.tags.get(FINGERPRINT) == expected), None)


def fingerprint(package: ModelPackage, artifacts: dict[str, str]) -> str:
    """An md5 of all that makes up a version: stored objects, contract, requirements and the model's code."""
    code = {path.as_posix(): content_md5(file) for path, file in model_code(artifacts).items()}
    parts = [artifact_md5s(artifacts), package.contract, package.requirements, code]
    return bytes_md5(json.dumps(parts, sort_keys=True).encode())


def artifact_md5s(artifacts: dict[str, str]) -> dict[str, str]:
    """The md5 of each artifact by its name."""
    return {name: content_md5(Path(path)) for name, path in artifacts.items()}
