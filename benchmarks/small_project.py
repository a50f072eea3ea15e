"""A project with a small table of its own, for benchmarks of the service."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from make_tables import customers
from run import ROOT, copy_project
from tables import commit, run

ROWS = 1000
_TABLE, _TARGET = "customers.csv", "churned"


def prepare(project: Path, versions: int, *options: str) -> None:
    """Adopt a small table with these options and train so many versions, unless the project has been made before."""
    if not (project / "mlflow.db").exists():
        adopt_small_table(project, *options)
        for _ in range(versions):
            train(project)
    use_library(project)


def adopt_small_table(project: Path, *options: str) -> None:
    """Copy this project, and adopt a table there."""
    copy_project(project)
    commit(project)
    customers(ROWS, np.random.default_rng(0)).to_csv(project / _TABLE, index=False)
    run(["kedro", "adopt", _TABLE, f"--target={_TARGET}", *options], project)
    commit(project)


def train(project: Path) -> None:
    """Train and register a version."""
    run(["kedro", "run", "--pipelines=train"], project)


def use_library(project: Path) -> None:
    """Let a project that was made earlier have the library as it is now, and commands use that."""
    shutil.copytree(ROOT / "src" / "kedro_tabular", project / "src" / "kedro_tabular", dirs_exist_ok=True)
    os.environ["PYTHONPATH"] = str(project / "src")


def rows_of(project: Path) -> pd.DataFrame:
    """Its rows without the target."""
    return pd.read_csv(project / _TABLE).drop(columns=_TARGET)


def run_main(main: Callable[[int, Path], int], default: int) -> None:
    """End with the exit code of `main` for the arguments of the script: a number, and the folder of the project."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else default
    with TemporaryDirectory() as temporary:
        sys.exit(main(number, Path(sys.argv[2]) if len(sys.argv) > 2 else Path(temporary)))
