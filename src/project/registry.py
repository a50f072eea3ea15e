"""The model registry: versions of the packaged model in MLflow, and which of them is champion."""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import pandas as pd
from kedro.io import AbstractDataset
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc import PyFuncModel
from mlflow.tracking import MlflowClient

from . import lineage
from .model import PackagedModel

logger = logging.getLogger(__name__)

CHAMPION = "champion"
FINGERPRINT = "fingerprint"

# What MLflow runs to build the model when it loads a version. Written out, because a file inside the package
# would be run on its own, where relative imports don't work and the package's name is not known.
_ENTRY_POINT = f"""\
from mlflow.models import set_model

from {PackagedModel.__module__} import {PackagedModel.__name__}

set_model({PackagedModel.__name__}())
"""


@dataclass(frozen=True)
class Package:
    """What a registered version is made of, beside the stored objects.

    `objections` are the reasons why the version may not be champion; none if it may.
    """

    name: str
    signature: ModelSignature
    input_example: pd.DataFrame
    contract: dict[str, Any]
    requirements: list[str]
    objections: list[str]


class RegisteredModelDataset(AbstractDataset[Package, PyFuncModel]):
    """Saving registers a new version of a model; loading gives the version of an alias.

    Args:
        filepath: where to write, as JSON and when all else is done, what the version was made of. Nothing in
            it varies from run to run, so that it can stand for the registration as an output of `dvc repro`.
        artifacts: files of the stored objects by name, copied into the version as they are.
        environment: the lock file of the environment, archived with the run.
        name: the registered model to load; saving takes the package's.
        alias: the alias to load.
    """

    def __init__(
        self,
        filepath: str,
        artifacts: dict[str, str],
        environment: str,
        name: str,
        alias: str = CHAMPION,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata
        self._artifacts = artifacts
        self._environment = environment
        self._name = name
        self._alias = alias

    def save(self, data: Package) -> None:
        """Log the model to the active run, register it, and make it champion if it may and there is none."""
        mlflow.log_artifact(self._environment)
        version = find_version(data, self._artifacts) or register(data, self._artifacts)
        name = f"{data.name} version {version}"
        if data.objections:
            logger.warning("%s is registered, but unfit to be champion", name)
        elif champion_version(data.name) in (None, version):
            MlflowClient().set_registered_model_alias(data.name, CHAMPION, version)
            logger.info("%s is registered and is champion", name)
        else:
            logger.info("%s is registered; champion stays version %s", name, champion_version(data.name))
        made_of = {
            "artifacts": md5s(self._artifacts),
            "contract": data.contract,
            "objections": data.objections,
        }
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        partial = self._filepath.with_name(self._filepath.name + ".partial")
        partial.write_text(json.dumps(made_of, indent=2))
        partial.replace(self._filepath)

    def load(self) -> PyFuncModel:
        """The model of the alias, ready to predict."""
        return mlflow.pyfunc.load_model(f"models:/{self._name}@{self._alias}")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "name": self._name, "alias": self._alias}


def register(package: Package, artifacts: dict[str, str]) -> str:
    """Log the packaged model to the active run and register it. Returns the new version's number."""
    with TemporaryDirectory() as folder:
        entry_point = Path(folder) / "packaged_model.py"
        entry_point.write_text(_ENTRY_POINT)
        contract = Path(folder) / "contract.json"
        contract.write_text(json.dumps(package.contract))
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(entry_point),
            artifacts=artifacts | {"contract": str(contract)},
            code_paths=[str(Path(__file__).parent)],
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
        | {FINGERPRINT: fingerprint(package, artifacts)},
    )
    return str(version.version)


def find_version(package: Package, artifacts: dict[str, str]) -> str | None:
    """The version that the active run has already registered of this very model, if it was interrupted."""
    run = mlflow.active_run()
    made_by = f"name = '{package.name}' and run_id = '{run.info.run_id if run else None}'"
    known = fingerprint(package, artifacts)
    for version in MlflowClient().search_model_versions(made_by):
        if version.tags.get(FINGERPRINT) == known:
            return str(version.version)
    return None


def fingerprint(package: Package, artifacts: dict[str, str]) -> str:
    """An md5 over all that makes a version: stored objects, contract, requirements and the package's code."""
    package_folder = Path(__file__).parent
    code = {
        path.relative_to(package_folder).as_posix(): lineage.content_md5(path)
        for path in sorted(package_folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    parts = [md5s(artifacts), package.contract, package.requirements, code]
    return hashlib.md5(json.dumps(parts, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def md5s(files: dict[str, str]) -> dict[str, str]:
    """The md5 of each file by its name."""
    return {name: lineage.content_md5(Path(path)) for name, path in files.items()}


def champion_version(name: str) -> str | None:
    """The number of the champion; None where there is none."""
    try:
        return str(MlflowClient().get_model_version_by_alias(name, CHAMPION).version)
    except MlflowException as error:
        # What MLflow answers for a missing alias differs from what it answers for a missing model.
        if error.error_code not in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
            raise
        return None
