"""Monitoring and the registry: profiles out of versions, and what was seen of these back to them."""

import logging
import re
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
from kedro.io import AbstractDataset, DatasetError
from mlflow.artifacts import download_artifacts, list_artifacts
from mlflow.entities import LoggedModelInput, Metric
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ..datasets import ReadOnlyDataset
from .profile import Profile

logger = logging.getLogger(__name__)

PREFIX = "monitoring."  # of the tags of a version
_FILE = "artifacts/profile.json"
_LOGGED = "models:/"  # before the id of the logged model that a version is made of


class Profiles:
    """The reference profiles of a model's versions."""

    def __init__(self, name: str) -> None:
        self._name = name

    @cache  # noqa: B019  # lives as long as a run
    def get(self, version: str) -> Profile | None:
        """That of a version; None where it has none, or there is no such version.

        Raises:
            DatasetError: the registry or the files of the version can't be reached.
        """
        address = f"models:/{self._name}/{version}"
        try:
            known = {artifact.path for artifact in list_artifacts(f"{address}/artifacts") or []}
            if _FILE not in known:
                return None
            path = Path(download_artifacts(f"{address}/{_FILE}"))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise DatasetError(f"the profile of version {version} can't be read: {error}") from error
        return Profile.model_validate_json(path.read_bytes())


class ProfilesDataset(ReadOnlyDataset[Profiles]):
    """Loads as the reference profiles of a registered model.

    Args:
        name: the registered model.
        metadata: anything; Kedro ignores it.
    """

    read_only = "a profile is registered with its version"

    def __init__(self, name: str, metadata: dict[str, Any] | None = None) -> None:
        self._name = name
        self.metadata = metadata

    def load(self) -> Profiles:
        """Nothing is read before a version is asked for."""
        return Profiles(self._name)

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}


class MonitoredVersionsDataset(AbstractDataset[dict[str, Any], Any]):
    """Saving notes at each version what was seen of it, and logs the numbers to the active run.

    Args:
        name: the registered model.
        metadata: anything; Kedro ignores it.
    """

    def __init__(self, name: str, metadata: dict[str, Any] | None = None) -> None:
        self._name = name
        self.metadata = metadata

    def save(self, data: dict[str, Any]) -> None:
        """Tag the versions, and link the run to their models. A verdict is as `assess` gives it."""
        client, run = MlflowClient(), mlflow.active_run()
        window = " to ".join(data["window"].values())
        raised = [finding["version"] for finding in data["findings"]]
        for version, seen in data["versions"].items():
            tags = {"verdict": "alert" if version in raised else "ok", "window": window}
            if run is not None:
                tags["run"] = run.info.run_id
            for tag, value in tags.items():
                client.set_model_version_tag(self._name, version, PREFIX + tag, value)
            if run is None:
                continue
            source = str(client.get_model_version(self._name, version).source)
            client.log_inputs(run.info.run_id, models=[LoggedModelInput(source.removeprefix(_LOGGED))])
            numbers = _numbers(f"version_{version}", seen)
            client.log_batch(run.info.run_id, metrics=[Metric(n, v, 0, 0) for n, v in numbers.items()])
        if run is not None:
            told = {"verdict": data["verdict"], "window": window, "versions": ", ".join(data["versions"])}
            mlflow.set_tags({PREFIX + tag: value for tag, value in told.items()})

    def load(self) -> Any:
        """Refuse: `kedro models --json` has the tags."""
        raise DatasetError("what was seen of a version can only be noted here")

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}


def _numbers(prefix: str, seen: dict[str, Any]) -> dict[str, float]:
    """All numbers of a version as MLflow takes them."""
    found = {"rows": seen["rows"], "outcomes": seen["outcomes"]} | seen["service"]
    found |= {f"measured/{name}": value for name, value in seen["metrics"].items()}
    if seen["estimated"]:
        found[f"estimated/{seen['metric']}"] = seen["estimated"]["metric"]
    for column in seen["columns"]:
        name = column["name"].replace("/", "_")  # which parts the names of metrics
        found |= {f"{measure}/{name}": limit["value"] for measure, limit in column["measures"].items()}
    return {re.sub(r"[^\w.\- :/]", "_", f"{prefix}/{name}"): float(value) for name, value in found.items()}
