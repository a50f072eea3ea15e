"""The project's own table, whatever it is, and a copy of the project in which it was trained on once.

These tests go through the catalog and the contract only, so they hold for the sample as for a table of yours.
"""

import shutil
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.config import MissingConfigException
from kedro.io import DataCatalog
from kedro_tabular.config import ConfigLoader
from kedro_tabular.contract.contract import Contract
from kedro_tabular.modelling import serialization
from kedro_tabular.modelling.packaged_model import FITTED_ARTIFACTS, PackagedModel
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from project.pipeline_registry import TRAIN, register_pipelines
from project.pipelines.data_prep.nodes import split_table
from project.settings import CONFIG_LOADER_ARGS

from ..conftest import ROOT, copy_code, copy_run, run_kedro, succeed, train_once
from ..repositories import commit, git

MOST_ROWS = 4000  # of the table: more would only take longer
OF_EACH = 50  # rows of a class in a part, if it has so many
RAW = "data/01_raw/table.parquet"
VALIDATOR = {
    "class": "kedro_tabular.contract.TableValidator",
    "on": ["save", "load"],
    "options": {"table": "${params:table}"},
}


@dataclass
class Own:
    """A folder in which version 1 was trained on the table, and is the champion."""

    folder: Path
    parameters: dict[str, Any]

    @cached_property
    def contract(self) -> Contract:
        return Contract.from_parameters(self.parameters["table"])

    @cached_property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.folder}/mlflow.db")

    @cached_property
    def model(self) -> PackagedModel:
        """The packaged model in this process."""
        paths = (self.folder / "data" / "06_models" / f"{name}.skops" for name in FITTED_ARTIFACTS)
        stored = (serialization.load(path, self.parameters["trusted_types"]) for path in paths)
        return PackagedModel.from_parts(self.contract, *stored, self.load("decision")["threshold"])

    def load(self, name: str) -> Any:
        return load(self.folder, name)

    def unseen(self) -> pd.DataFrame:
        """Rows that training has not seen: live ones, or where there are none those of the test."""
        live = self.load("live_table")
        return self.load("test_table") if live.empty else live

    def run(self, *arguments: str) -> str:
        """`kedro ARGUMENTS`, which has to succeed."""
        process = run_kedro(self.folder, *arguments)
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    def champion(self) -> str | None:
        try:
            return str(self.client.get_model_version_by_alias(self.contract.name, "champion").version)
        except MlflowException:
            return None


def load(folder: Path, name: str) -> Any:
    """A dataset of the catalog of a project."""
    loader = ConfigLoader(str(folder / "conf"), **CONFIG_LOADER_ARGS)
    try:
        credentials = loader["credentials"]
    except MissingConfigException:
        credentials = None
    with chdir(folder):
        return DataCatalog.from_config(loader["catalog"], credentials).load(name)


def load_table(factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The whole table; where a pipeline makes it, that has to run first."""
    pipelines = register_pipelines()
    makers = [name for name in TRAIN if name in pipelines and "table" in pipelines[name].outputs()]
    if not makers:
        return load(ROOT, "table")
    folder = copy_code(factory.mktemp("making"))
    shutil.copytree(ROOT / "data" / "01_raw", folder / "data" / "01_raw")
    made = run_kedro(folder, "run", f"--pipelines={','.join(makers)}")
    assert made.returncode == 0, made.stdout + made.stderr
    return load(folder, "table")


def thin(table: pd.DataFrame, parameters: dict[str, Any]) -> pd.DataFrame:
    """Every so many rows of each part and class, in the order that they have."""
    step = -(-len(table) // MOST_ROWS)
    if step == 1:
        return table
    target, task = parameters["table"]["target"], parameters["table"]["task"]
    kept = []
    for part in split_table(table, parameters["table"], parameters["split"], parameters["seed"]):
        label = part[target] if task == "classification" else pd.Series(0, index=part.index)
        grouped = label.groupby(label)
        steps = np.clip(grouped.transform("size") // OF_EACH, 1, step)
        kept.append(part[grouped.cumcount() % steps == 0])
    return pd.concat(kept, ignore_index=True)


def quick(parameters: dict[str, Any]) -> str:
    """Settings that make a run quick."""
    settings = "evaluation.importance_rows=200,evaluation.importance_repeats=1,gate.resamples=100"
    estimator = parameters["estimator"]
    boosted = "HistGradientBoosting" in estimator["class"] and "max_iter" in estimator["kwargs"]
    return settings + ",estimator.kwargs.max_iter=20" * boosted


@pytest.fixture(scope="session")
def train(parameters: dict[str, Any]) -> tuple[str, ...]:
    """The command that trains on the table as it is."""
    return "run", "--pipeline=train", "--from-inputs=table", "--params", quick(parameters)


@pytest.fixture(scope="session")
def copy_own(
    tmp_path_factory: pytest.TempPathFactory, parameters: dict[str, Any], train: tuple[str, ...]
) -> Callable[[Path], Own]:
    """Copies the trained project to a path that is free."""

    def prepare(folder: Path) -> None:
        copy_code(folder)
        shutil.copy(ROOT / ".gitignore", folder)
        (folder / RAW).parent.mkdir(parents=True)
        thin(load_table(tmp_path_factory), parameters).to_parquet(folder / RAW, index=False)
        entry = {"type": "pandas.ParquetDataset", "filepath": RAW, "validator": VALIDATOR}
        point(folder, table=entry)
        git(folder, "init", "--quiet")
        commit(folder)
        own = Own(folder, parameters)
        (folder / "printed.txt").write_text(own.run(*train))
        if own.champion() is None:  # the gate's limits are for the whole table
            succeed(folder, "promote", "1", "--force", "--reason", "for the tests")

    trained = train_once("trained_own", tmp_path_factory, prepare)
    return lambda folder: Own(copy_run(trained, folder), parameters)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, copy_own: Callable[[Path], Own]) -> Own:
    return copy_own(tmp_path_factory.mktemp("own") / "project")


def point(folder: Path, **entries: Any) -> None:
    """Point entries of the catalog elsewhere."""
    path = folder / "conf" / "local" / "catalog.yml"
    known = yaml.safe_load(path.read_text()) if path.exists() else {}
    path.write_text(yaml.safe_dump(known | entries, sort_keys=False))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them: date-times in ISO 8601, null for what is missing."""
    plain = table.astype(object).where(table.notna(), None)
    return [
        {n: v.isoformat() if isinstance(v, pd.Timestamp) else v for n, v in row.items()}
        for row in plain.to_dict(orient="records")
    ]
