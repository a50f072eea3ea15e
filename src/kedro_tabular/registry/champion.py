"""The champion as it was registered: its stored objects, and the code that was archived with them."""

import logging
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

from .. import lineage
from ..datasets import ReadOnlyDataset
from .aliases import CHAMPION, get_alias_version
from .loading import load_model

logger = logging.getLogger(__name__)


class Change(NamedTuple):
    """One thing in which two versions differ."""

    kind: str  # data | parameters | code | environment
    name: str
    before: str
    after: str


class Champion:
    """A registered version that answers rows just as it did when it was registered.

    Where the package's code has changed since, it answers in a process of its own, with its archived code.
    """

    def __init__(self, version: ModelVersion, changes: list[Change]) -> None:
        self.name = str(version.name)
        self.version = str(version.version)
        self.changes = changes
        """What the active run differs in."""

    @cached_property
    def predict(self) -> Callable[[pd.DataFrame], pd.DataFrame]:
        """Answers raw rows; the model is loaded when it is first asked for.

        Raises:
            DatasetError: the files of the version can't be read.
            ContractError: when called with rows that it can't answer as a whole.
        """
        try:
            folder = Path(download_artifacts(f"models:/{self.name}/{self.version}"))
        except (MlflowException, OSError) as error:
            raise DatasetError(f"the files of {self.name} version {self.version} can't be read: {error}") from error
        return load_model(folder).predict


class ChampionDataset(ReadOnlyDataset["Champion | None"]):
    """Loads as the version of an alias, with what the active run differs in; as None where there is none.

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
        """Look the version up; its model is loaded only when it is asked."""
        number, client, active = (get_alias_version(self._name, self._alias), MlflowClient(), mlflow.active_run())
        if number is None:
            return None
        version = client.get_model_version(self._name, number)
        if active is None:
            return Champion(version, [])
        current = client.get_run(active.info.run_id)
        before = client.get_run(str(version.run_id))
        return Champion(version, differences(before, current))

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "alias": self._alias}


def differences(before: Run, after: Run) -> list[Change]:
    """What two runs recorded differently of data, parameters, code and environment."""
    changes = []
    for kind, prefix in (("data", lineage.DATA), ("code", lineage.GIT), ("environment", lineage.ENVIRONMENT)):
        old, new = (
            {n.removeprefix(prefix): v for n, v in run.data.tags.items() if n.startswith(prefix)}
            for run in (before, after)
        )
        changes += _compare(kind, old, new)
    return changes + _compare("parameters", before.data.params, after.data.params)


def _compare(kind: str, before: dict[str, str], after: dict[str, str]) -> list[Change]:
    return [
        Change(kind, name, before.get(name, "none"), after.get(name, "none"))
        for name in sorted(before | after)
        if before.get(name) != after.get(name)
    ]
