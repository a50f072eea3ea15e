"""Registered versions: their profiles are loaded, and the results of monitoring are stored with them."""

import re
from pathlib import Path
from typing import Any

import mlflow
from kedro.io import AbstractDataset, DatasetError
from mlflow.artifacts import download_artifacts, list_artifacts
from mlflow.entities import LoggedModelInput
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ..datasets import ReadOnlyDataset
from .profile import Profile, Profiles

_TAG_PREFIX = "monitoring."
_PROFILE = "artifacts/profile.json"


class _RegisteredModel:
    """The registered model of a dataset, by its name; Kedro ignores `metadata`."""

    def __init__(self, name: str, metadata: dict[str, Any] | None = None) -> None:
        self._name = name
        self.metadata = metadata

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}


class ProfilesDataset(_RegisteredModel, ReadOnlyDataset[Profiles]):
    """Loads as a function from the version of a registered model, `name`, to its reference profile."""

    read_only = "a profile is registered with its version"

    def load(self) -> Profiles:
        """The function; it raises DatasetError where the registry or the files of a version are not available."""
        return self._load_profile

    def _load_profile(self, version: str) -> Profile | None:
        uri = f"models:/{self._name}/{version}"
        try:
            if _PROFILE not in {artifact.path for artifact in list_artifacts(f"{uri}/artifacts") or []}:
                return None
            path = Path(download_artifacts(f"{uri}/{_PROFILE}"))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise DatasetError(f"the profile of version {version} is not available: {error}") from error
        return Profile.model_validate_json(path.read_bytes())


class MonitoredVersionsDataset(_RegisteredModel, AbstractDataset[dict[str, Any], Any]):
    """Stores the verdict as tags of the versions of a registered model, `name`, and logs it to the active run."""

    def save(self, data: dict[str, Any]) -> None:
        """Tag the versions and link the active run to their models; `data` is the verdict of `assess`."""
        client, run = MlflowClient(), mlflow.active_run()
        window = " to ".join(data["window"].values())
        raised = [finding["version"] for finding in data["findings"]]
        for version, result in data["versions"].items():
            tags = {"verdict": "alert" if version in raised else "ok", "window": window}
            if run is not None:
                tags["run"] = run.info.run_id
                source = str(client.get_model_version(self._name, version).source)
                client.log_inputs(run.info.run_id, models=[LoggedModelInput(source.removeprefix("models:/"))])
                mlflow.log_metrics(_metrics(f"version_{version}", result))
            for tag, value in tags.items():
                client.set_model_version_tag(self._name, version, _TAG_PREFIX + tag, value)
        if run is not None:
            tags = {"verdict": data["verdict"], "window": window, "versions": ", ".join(data["versions"])}
            mlflow.set_tags({_TAG_PREFIX + tag: value for tag, value in tags.items()})

    def load(self) -> Any:
        """Refuse. Raises DatasetError."""
        raise DatasetError("the results of monitoring can only be saved here; `kedro models --json` shows the tags")


def _metrics(prefix: str, result: dict[str, Any]) -> dict[str, float]:
    """All numbers of a version as metrics of MLflow."""
    metrics = {"rows": result["rows"], "outcomes": result["outcomes"]} | result["service"]
    metrics |= {f"measured/{name}": value for name, value in result["metrics"].items()}
    if result["estimated"]:
        metrics[f"estimated/{result['metric']}"] = result["estimated"]["metric"]
    for column in result["columns"]:
        name = column["name"].replace("/", "_")  # MLflow's separator
        metrics |= {f"{measure}/{name}": measured["value"] for measure, measured in column["measures"].items()}
    return {re.sub(r"[^\w.\- :/]", "_", f"{prefix}/{name}"): float(value) for name, value in metrics.items()}
