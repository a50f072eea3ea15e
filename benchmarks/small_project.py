"""A project with a small table of its own, for benchmarks of the service."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from make_tables import customers
from run import ROOT, copy_project
from tables import commit, run

ROWS = 1000
_TABLE, _TARGET = "customers.csv", "churned"


def adopt_small_table(project: Path) -> None:
    """Copy this project, and adopt a table there."""
    copy_project(project)
    commit(project)
    customers(ROWS, np.random.default_rng(0)).to_csv(project / _TABLE, index=False)
    run(["kedro", "adopt", _TABLE, f"--target={_TARGET}"], project)
    commit(project)


def train(project: Path) -> None:
    """Train and register a version."""
    run(["kedro", "run", "--pipelines=train"], project)


def update_library(project: Path) -> None:
    """Let a project that was made earlier have the library as it is now."""
    shutil.copytree(ROOT / "src" / "kedro_tabular", project / "src" / "kedro_tabular", dirs_exist_ok=True)


def rows_of(project: Path) -> pd.DataFrame:
    """Its rows without the target."""
    return pd.read_csv(project / _TABLE).drop(columns=_TARGET)
