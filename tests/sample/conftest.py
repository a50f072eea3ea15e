"""Projects on every 40th of the sample's flights, to run in."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ..conftest import ROOT, copy_code, copy_run, run_kedro, train_once

FAST = "evaluation.importance_rows=200,evaluation.importance_repeats=1,gate.resamples=100,estimator.kwargs.max_iter=20"


@pytest.fixture(scope="session")
def copy_project() -> Callable[[Path], Path]:
    """Copies what a run needs, with every 40th of the sample's real flights, into a folder."""

    def copy(folder: Path) -> Path:
        raw = copy_code(folder) / "data" / "01_raw"
        raw.mkdir(parents=True)
        for path in (ROOT / "data" / "01_raw").glob("*.parquet*"):
            shutil.copy(path, raw)
        flights = pd.read_parquet(raw / "flights.parquet")
        flights.iloc[::40].to_parquet(raw / "flights.parquet", index=False)
        (raw / "flights.parquet.dvc").unlink()  # it names the whole
        return folder

    return copy


@pytest.fixture(scope="session")
def copy_trained(
    tmp_path_factory: pytest.TempPathFactory, copy_project: Callable[[Path], Path]
) -> Callable[[Path], Path]:
    """Copies a project in which `train` has run once, and what it printed, to a path that is free."""

    def train(folder: Path) -> None:
        process = run_kedro(copy_project(folder), "run", "--pipeline=train", "--params", FAST)
        assert process.returncode == 0, process.stdout + process.stderr
        (folder / "printed.txt").write_text(process.stdout + process.stderr)

    trained = train_once("trained_sample", tmp_path_factory, train)
    return lambda folder: copy_run(trained, folder)
