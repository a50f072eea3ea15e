"""What several tests share: the project's parameters, small tables with a contract, a copy to run in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from filelock import FileLock
from kedro.framework.project import configure_project
from kedro.framework.startup import bootstrap_project
from kedro_tabular.commands import cli
from kedro_tabular.contract.contract import NO_TABLE, Contract
from kedro_tabular.lineage.relocation import relocate_artifacts
from kedro_tabular.modelling.packaged_model import PackagedModel
from omegaconf import OmegaConf

from project.pipelines.feature_engineering.nodes import fit_preprocessor
from project.pipelines.training.nodes import fit_guard, train_estimator, train_fallback

ROOT = Path(__file__).parents[1]
configure_project("project")

# Tests run side by side, one on each core: threads of their own would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def parameters() -> dict[str, Any]:
    """All parameters of conf/base, as a run has them."""
    files = sorted((ROOT / "conf" / "base").glob("parameters*.yml"))
    merged = OmegaConf.to_container(OmegaConf.merge(*map(OmegaConf.load, files)))
    if merged["table"] is None:
        pytest.skip(NO_TABLE)
    return merged


def make_contract(task: str = "classification", time: str | None = "when") -> dict[str, Any]:
    """A contract with a column of each kind."""
    return {
        "name": "small",
        "target": "answer",
        "task": task,
        "time": time,
        "columns": {
            "colour": {"type": "category"},
            "town": {"type": "category", "nullable": True},
            "size": {"type": "number", "min": 0, "max": 100},
            "weight": {"type": "number", "nullable": True},
            "when": {"type": "datetime"},
        },
    }


# How strict the guard is in tests: what it takes from the model, and what it only tells.
GUARD = {
    "actions": {"unseen_category": "flag", "uncertain": "flag"},
    "margin": 0.1,
    "distance_quantile": 1.0,
    "alpha": 0.2,
}


def make_table(n_rows: int, answer: str = "binary", seed: int = 0) -> pd.DataFrame:
    """Rows of that contract in the order of time. `answer`, which depends on them: binary, text or number."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "colour": rng.choice(["blue", "green", "red"], n_rows),
            "town": rng.choice([f"town {i}" for i in range(40)], n_rows),
            "size": rng.uniform(0, 100, n_rows).round(3),
            "weight": rng.normal(size=n_rows),
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n_rows) * 6, unit="h"),
        }
    )
    table.loc[rng.random(n_rows) < 0.1, "weight"] = np.nan
    table.loc[rng.random(n_rows) < 0.1, "town"] = None
    signal = table["size"] / 25 + (table["colour"] == "red") + rng.normal(scale=0.5, size=n_rows)
    if answer == "binary":
        table["answer"] = (signal > 2.3).astype("int64")
    elif answer == "text":
        table["answer"] = pd.cut(signal, [-9, 1.5, 3, 99], labels=["low", "middle", "high"]).astype(str)
    else:
        table["answer"] = signal
    return table


def fit_packaged(answer: str, estimator: dict[str, Any] | None = None, **guard: Any) -> PackagedModel:
    """A packaged model fitted on a small table; boosted trees if no other estimator is named."""
    params = make_contract("regression" if answer == "number" else "classification")
    table, calibration = make_table(400, answer), make_table(200, answer, seed=5)
    features = {"max_codes": 20, "datetime_parts": ["hour", "weekday"]}
    kind, groups = ("Regressor", "Means") if answer == "number" else ("Classifier", "Rates")
    estimator = estimator or {"class": f"sklearn.ensemble.HistGradientBoosting{kind}", "kwargs": {"max_iter": 10}}
    preprocessor, train_features = fit_preprocessor(table, params, features, estimator["class"], seed=0)
    model = train_estimator(train_features, table, params, estimator, seed=0)
    by = {"class": f"kedro_tabular.modelling.fallback.Group{groups}", "kwargs": {"by": ["colour"], "min_rows": 10}}
    fallback = train_fallback(table, params, by, seed=0)
    fitted = fit_guard(table, train_features, calibration, preprocessor, model, params, GUARD | guard)
    return PackagedModel.from_parts(Contract.from_parameters(params), preprocessor, model, fitted, fallback)


@pytest.fixture
def contract() -> Contract:
    """The small contract, a classification split by time."""
    return Contract.from_parameters(make_contract())


def copy_code(folder: Path) -> Path:
    """Copies what a run needs beside its data into a folder, without conf/local of this machine."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", "local")
    for name in ("conf", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    for name in ("pyproject.toml", "requirements.lock", ".telemetry"):
        shutil.copy(ROOT / name, folder)
    (folder / "conf" / "local").mkdir()
    (folder / "conf" / "local" / ".gitkeep").touch()
    return folder


def train_once(name: str, factory: pytest.TempPathFactory, train: Callable[[Path], object]) -> Path:
    """The folder of this name, in which `train` has run once for all processes of these tests."""
    common = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent  # where the folders of all processes are
    trained = common / name
    with FileLock(common / f"{name}.lock"):
        if not trained.exists():
            folder = factory.mktemp("project")
            train(folder)
            folder.rename(trained)
    return trained


def copy_run(trained: Path, folder: Path) -> Path:
    """Copies a project with its runs to a path that is free."""
    shutil.copytree(trained, folder)
    relocate_artifacts(folder, "sqlite:///mlflow.db", "mlartifacts")  # as the first command in it would
    return folder


def run_kedro(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`kedro ARGUMENTS` as a process of its own in a folder, with what it prints."""
    kedro = Path(sys.executable).with_name("kedro")
    # The copy's own source must run, not the one that is installed; and lines must not be wrapped.
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "COLUMNS": "200"}
    return subprocess.run([kedro, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def invoke(folder: Path, *arguments: str) -> Result:
    """A command of the project in this process, which spares the start of another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "200")
        patch.setenv("PYTHONPATH", str(folder / "src"))  # which Kedro adds, here and to the path of imports
        patch.setattr(sys, "path", [*sys.path])
        return CliRunner().invoke(cli, arguments, obj=bootstrap_project(folder))


def succeed(folder: Path, *arguments: str) -> str:
    done = invoke(folder, *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def fail(folder: Path, *arguments: str) -> str:
    done = invoke(folder, *arguments)
    assert done.exit_code != 0
    assert isinstance(done.exception, SystemExit), done.exception  # told, not raised
    return done.stderr


# The files that take longest, slow or not, which start many processes, in the order of their length.
LONGEST = [
    "test_promotion.py",
    "test_experiments.py",
    "test_team.py",
    "test_outages.py",
    "test_train.py",
    "test_dvc.py",
    "test_training.py",
    "test_reproduction.py",
    "test_deployment.py",
    "test_unsteady_server.py",
    "test_ci.py",
    "test_image.py",
    "test_full_disk.py",
    "test_stage_check.py",
    "test_killed_server.py",
    "test_run.py",
    "test_end_to_end.py",
    "test_howto.py",
    "test_trained.py",
    "test_watched.py",
    "test_watching.py",
    "test_process.py",
    "test_answered.py",
    "test_detection.py",
    "test_registry.py",
    "test_s3.py",
    "test_requests.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, lest one of them be begun when all others are done."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutations", type=int, default=300, help="requests of the test of mutated ones")
