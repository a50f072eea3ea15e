"""A project that has adopted a small table, in a repository with DVC, for tests of what is recorded of its runs."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from kedro_tabular.lineage import expand_tags
from mlflow.tracking import MlflowClient

from ...conftest import ROOT, copy_code, copy_run, make_table, run_kedro, train_once
from ...repositories import commit, git

QUICK = {
    "training": {"max_iter": "20"},
    "evaluation": {"importance_rows": "50", "importance_repeats": "1"},
    "packaging": {"resamples": "50"},
}
AUTHOR = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Test"), ("EMAIL", "test@example.com"))
}


def make_repository(folder: Path, subfolder: str = ".") -> Path:
    """A repository in a folder, with the project in it or in a subfolder. No table is adopted yet."""
    project = folder / subfolder
    project.mkdir(parents=True, exist_ok=True)
    copy_code(project)
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, project)
    (project / "data" / "01_raw").mkdir(parents=True)
    (project / ".dvc" / "sample").mkdir(parents=True)
    (project / ".dvc" / "sample" / "file").touch()  # `kedro adopt` then removes the sample, its pipeline included
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, project / ".dvc")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return project


def adopt(folder: Path, subfolder: str = ".") -> Path:
    """A repository whose project has adopted a small table; nothing has run."""
    project = make_repository(folder, subfolder)
    table = folder.parent / "orders.csv"
    make_table(700).to_csv(table, index=False)
    run(project, "adopt", str(table), "--target", "answer", "--time", "when", "--estimator", "boosting")
    estimator = {"class": "sklearn.ensemble.HistGradientBoostingClassifier"}
    for pipeline, values in QUICK.items():
        path = project / "conf" / "base" / f"parameters_{pipeline}.yml"
        parameters = yaml.safe_load(path.read_text())
        if pipeline == "training":
            kwargs = {"max_iter": 20, "early_stopping": False}
            path.write_text(yaml.safe_dump(parameters | {"estimator": estimator | {"kwargs": kwargs}}, sort_keys=False))
        for key, value in values.items():
            set_parameter(project, pipeline, key, value)
    commit(folder)
    return project


def set_parameter(project: Path, pipeline: str, key: str, value: str) -> None:
    path = project / "conf" / "base" / f"parameters_{pipeline}.yml"
    path.write_text(re.sub(rf"(?m)^( *{key}:) .*", rf"\1 {value}", path.read_text()))


def run(project: Path, *arguments: str) -> str:
    """`kedro ARGUMENTS`, which has to succeed; all that it prints."""
    done = run_kedro(project, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def dvc(project: Path, *arguments: str, fails: bool = False, **variables: str) -> str:
    """`dvc ARGUMENTS`; all that it prints."""
    binaries = Path(sys.executable).parent
    paths = {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "300"}
    done = subprocess.run(
        [binaries / "dvc", *arguments],
        cwd=project,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | paths | AUTHOR | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def open_store(project: Path, store: str = "mlflow.db") -> MlflowClient:
    return MlflowClient(f"sqlite:///{project}/{store}")


def versions(client: MlflowClient, name: str = "orders") -> dict[str, dict[str, str]]:
    """The tags of each version."""
    found = client.search_model_versions(f"name = '{name}'")
    return {str(version.version): expand_tags(version.tags) for version in sorted(found, key=lambda v: int(v.version))}


def runs(client: MlflowClient) -> list:
    return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


def copy_adopted(factory: pytest.TempPathFactory) -> Path:
    """A copy of a project that has adopted a small table; nothing has run. The table is beside it."""
    return _copy_of("adopted", factory, lambda folder: adopt(folder / "project"))


def copy_trained(factory: pytest.TempPathFactory) -> Path:
    """The same, in which `train` has run once."""

    def train(folder: Path) -> None:
        run(_fill_from(copy_adopted(factory), folder), "run", "--pipeline=train")

    return _copy_of("adopted_trained", factory, train)


def copy_reproduced(factory: pytest.TempPathFactory) -> Path:
    """The same, in which `dvc repro` has run once instead; all is committed."""

    def reproduce(folder: Path) -> None:
        project = _fill_from(copy_adopted(factory), folder)
        dvc(project, "repro", "--quiet")
        commit(project)

    return _copy_of("adopted_reproduced", factory, reproduce)


def _fill_from(project: Path, folder: Path) -> Path:
    shutil.copytree(project.parent, folder, dirs_exist_ok=True)
    return folder / "project"


def _copy_of(name: str, factory: pytest.TempPathFactory, make: Callable[[Path], object]) -> Path:
    """The project in a folder of its own, of which `make` has made the original once for all tests."""
    made = train_once(name, factory, make)
    folder = factory.mktemp("here")
    copy_run(made / "project", folder / "project")
    shutil.copy(made / "orders.csv", folder)
    return folder / "project"
