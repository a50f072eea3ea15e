"""The model registry: versions of the packaged model in MLflow, each with the gate's verdict."""

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

from ..files import write_atomically
from ..lineage import DATA, ENVIRONMENT, GIT, bytes_md5, content_md5
from ..modelling import PackagedModel
from .aliases import (
    CHALLENGER,
    CHAMPION,
    GATE,
    GATE_CHAMPION,
    GATE_FAILED,
    REFUSED,
    ROLLED_BACK,
    get_alias_version,
    promote,
    set_challenger,
)
from .archived_code import copy_code, model_code

logger = logging.getLogger(__name__)

FINGERPRINT = "fingerprint"
_MAX_RULES = 3  # failed rules in the tag of a version; gate.json and the report have all

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

    `gate` is the verdict of the gate, as returned by `apply_rules`.
    """

    name: str
    signature: ModelSignature
    input_example: pd.DataFrame
    contract: dict[str, Any]
    requirements: list[str]
    gate: dict[str, Any]


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
        mlflow.log_artifact(self._environment)
        version = find_version(data, self._artifacts) or register(data, self._artifacts)
        deploy(data.name, version, data.gate)
        content = {"artifacts": artifact_md5s(self._artifacts), "contract": data.contract}
        write_atomically(self._filepath, json.dumps(content, indent=2))

    def load(self) -> Any:
        """Raise DatasetError: the dataset `champion` loads the deployed version."""
        raise DatasetError("this dataset only registers versions; the dataset `champion` loads the deployed one")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def deploy(name: str, version: str, gate: dict[str, Any]) -> None:
    """Tag a version with the gate's verdict, and move the aliases accordingly."""
    client, title = MlflowClient(), f"{name} version {version}"
    champion = get_alias_version(name, CHAMPION)
    if version == champion:
        logger.info("%s is champion already", title)
        return
    failed = [rule["rule"] for rule in gate["rules"] if not rule["passed"]]
    summary = ", ".join(failed[:_MAX_RULES])
    if len(failed) > _MAX_RULES:
        summary += f" and {len(failed) - _MAX_RULES} more"
    tags = {GATE: gate["verdict"], GATE_FAILED: summary, GATE_CHAMPION: gate["champion"] or "none"}
    for tag, value in tags.items():
        client.set_model_version_tag(name, version, tag, value)
    rolled_back = ROLLED_BACK + "at" in client.get_model_version(name, version).tags
    if gate["verdict"] == REFUSED:
        logger.warning("%s is refused by the gate: %s", title, summary)
        if get_alias_version(name, CHALLENGER) == version:
            client.delete_registered_model_alias(name, CHALLENGER)
    elif gate["promote"] == "manual" or rolled_back or champion != gate["champion"]:
        set_challenger(name, version)
        reason = "it was rolled back" if rolled_back else "promote is manual"
        if champion != gate["champion"]:
            reason = f"version {champion} became champion during the comparison"
        logger.info("%s passed the gate and is challenger (%s): kedro promote %s", title, reason, version)
    else:
        promote(name, version, f"passed the gate against version {champion}" if champion else "first version")
        logger.info("%s passed the gate and is champion", title)


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
    client = MlflowClient()
    try:
        client.create_registered_model(package.name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    run_tags = client.get_run(logged.run_id).data.tags
    tags = {name: value for name, value in run_tags.items() if name.startswith((DATA, GIT, ENVIRONMENT))}
    version = client.create_model_version(
        package.name,
        source=logged.model_uri,
        run_id=logged.run_id,
        model_id=logged.model_id,
        tags=tags | {FINGERPRINT: fingerprint(package, artifacts), GATE: package.gate["verdict"]},
    )
    return str(version.version)


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
