"""The champion as it was registered: its stored objects, and the code that was archived with them."""

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
from kedro.io import DatasetError
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient
from mlflow.types import DataType
from mlflow.types.schema import Array

from ..config import POOLED
from ..datasets import ReadOnlyDataset
from ..lineage import DATA, ENVIRONMENT, GIT, select_tags
from .aliases import CHAMPION, get_alias_version
from .loading import load_model

_ARROW_TYPES = {
    DataType.boolean: pa.bool_(),
    DataType.long: pa.int64(),
    DataType.double: pa.float64(),
    DataType.string: pa.string(),
}


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

    def __init__(self, version: ModelVersion, changes: list[Difference], parameters: dict[str, str]) -> None:
        self.name = str(version.name)
        self.version = str(version.version)
        self.changes = changes
        """The differences to the active run."""
        self.parameters = parameters
        """The parameters that its run logged, by their path such as `split.train`."""

    @cached_property
    def predict(self) -> Callable[[pd.DataFrame], pd.DataFrame]:
        """Predicts raw rows; the model is loaded at the first access.

        Raises:
            DatasetError: the files of the version can't be read.
            ContractError: when called with rows that can't be predicted as a whole.
        """
        return load_model(self._folder).predict

    @cached_property
    def contract(self) -> dict[str, Any]:
        """Its contract, in the form of `params:table`. Raises DatasetError if the files can't be read."""
        config = json.loads((self._folder / "artifacts" / "contract.json").read_text(encoding="utf-8"))
        contract: dict[str, Any] = config["table"]
        return contract

    @cached_property
    def output_schema(self) -> pa.Schema:
        """The types of the columns that it predicts, by its signature; without an explanation, which is no column of
        a table. Raises DatasetError if the files can't be read.
        """
        signature = Model.load(str(self._folder)).signature
        columns = signature.outputs.inputs if signature is not None and signature.outputs is not None else []
        types = {column.name: _arrow_type(column.type) for column in columns}
        return pa.schema([(name, kind) for name, kind in types.items() if kind is not None])

    @cached_property
    def seen_rows(self) -> np.ndarray | None:
        """The hashes of its training and calibration rows; None if an earlier release registered it without them.

        Raises DatasetError if the files of the version can't be read.
        """
        file = self._folder / "artifacts" / "seen_rows.parquet"
        return pd.read_parquet(file)["hash"].to_numpy() if file.is_file() else None

    @cached_property
    def _folder(self) -> Path:
        try:
            return Path(download_artifacts(f"models:/{self.name}/{self.version}"))
        except (MlflowException, OSError) as error:
            raise DatasetError(f"the files of {self.name} version {self.version} can't be read: {error}") from error


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
            return Champion(version, [], {})
        current, own = client.get_run(active.info.run_id), client.get_run(str(version.run_id))
        return Champion(version, compare_runs(own, current), own.data.params)

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "alias": self._alias}


class PooledDataset(ChampionDataset):
    """Loads the champion of the model of all rows, for a model of some of them; None for any other model.

    Args:
        table: `params:table`, whose `where` says which rows the model is for.
        name: the registered model of all rows.
        metadata: anything; Kedro ignores it.
    """

    def __init__(self, table: dict[str, Any], name: str = POOLED, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(name, metadata=metadata)
        self._is_segment = bool(table.get("where"))

    def load(self) -> Champion | None:
        """Look the version up."""
        return super().load() if self._is_segment else None


def _arrow_type(column_type: Any) -> pa.DataType | None:
    """Arrow's type for one of MLflow's; None for a nested one other than a list."""
    if isinstance(column_type, Array):
        item = _arrow_type(column_type.dtype)
        return None if item is None else pa.list_(item)
    return _ARROW_TYPES.get(column_type) if isinstance(column_type, DataType) else None


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
            if old.get(name, "none") != new.get(name, "none")
        ]
    return differences
