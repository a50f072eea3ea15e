"""The champion as it was registered: its stored objects, and the code that was archived with them."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import pandas as pd
from kedro.io import DatasetError
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ..datasets import ReadOnlyDataset
from ..lineage import DATA, ENVIRONMENT, GIT, select_tags
from .aliases import CHAMPION, get_alias_version
from .loading import load_model


class Difference(NamedTuple):
    """One difference between two versions."""

    kind: str  # data | parameters | code | environment
    name: str
    before: str
    after: str


class Champion:
    """A registered version that predicts as it did when it was registered.

    If the library's code has changed since, it predicts in a separate process, with its archived code.
    """

    def __init__(self, version: ModelVersion, changes: list[Difference]) -> None:
        self.name = str(version.name)
        self.version = str(version.version)
        self.changes = changes
        """The differences to the active run."""

    @cached_property
    def predict(self) -> Callable[[pd.DataFrame], pd.DataFrame]:
        """Predicts raw rows; the model is loaded at the first access.

        Raises:
            DatasetError: the files of the version can't be read.
            ContractError: when called with rows that can't be predicted as a whole.
        """
        try:
            folder = Path(download_artifacts(f"models:/{self.name}/{self.version}"))
        except (MlflowException, OSError) as error:
            raise DatasetError(f"the files of {self.name} version {self.version} can't be read: {error}") from error
        return load_model(folder).predict


class ChampionDataset(ReadOnlyDataset["Champion | None"]):
    """Loads the version of an alias, with its differences to the active run; None if there is no such version.

    Args:
        name: the registered model.
        alias: the alias.
        metadata: anything; Kedro ignores it.
    """

    read_only = "the champion is moved by the gate, `kedro promote` and `kedro rollback`"

    def __init__(self, name: str, alias: str = CHAMPION, metadata: dict[str, Any] | None = None) -> None:
        self._name, self._alias = name, alias
        self.metadata = metadata

    def load(self) -> Champion | None:
        """Look the version up; its model is loaded only when it predicts."""
        number, client, active = get_alias_version(self._name, self._alias), MlflowClient(), mlflow.active_run()
        if number is None:
            return None
        version = client.get_model_version(self._name, number)
        if active is None:
            return Champion(version, [])
        current = client.get_run(active.info.run_id)
        return Champion(version, compare_runs(client.get_run(str(version.run_id)), current))

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "alias": self._alias}


def compare_runs(before: Run, after: Run) -> list[Difference]:
    """The differences in data, code, environment and parameters that two runs recorded."""
    differences = []
    for kind, prefix in (("data", DATA), ("code", GIT), ("environment", ENVIRONMENT), ("parameters", None)):
        old, new = (
            run.data.params if prefix is None else select_tags(run.data.tags, prefix) for run in (before, after)
        )
        differences += [
            Difference(kind, name, old.get(name, "none"), new.get(name, "none"))
            for name in sorted(old | new)
            if old.get(name) != new.get(name)
        ]
    return differences
