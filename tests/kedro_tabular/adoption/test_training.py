"""The settings that `kedro adopt` writes, tried by training with them."""

import json
import shutil

import numpy as np
import pytest

from ...conftest import ROOT, copy_code, make_table, run_kedro, succeed
from ...repositories import commit, git

pytestmark = pytest.mark.slow

ANSWERS, SIZES = ["binary", "text", "number", "whole number"], [300, 5_000, 50_000]
WITHIN = [(True, "when"), (False, None), (True, None), (False, "when")]  # categories, time
# Each pair of two of the four properties, in a quarter of all tables.
TABLES = [(answer, n, *WITHIN[(i + j) % 4]) for i, answer in enumerate(ANSWERS) for j, n in enumerate(SIZES)]


@pytest.fixture
def project(tmp_path):
    folder = copy_code(tmp_path / "project")
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = false\n    analytics = false\n")
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (folder / "data" / "01_raw").mkdir(parents=True)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


@pytest.mark.parametrize(("answer", "n_rows", "categories", "time"), TABLES)
def test_a_table_is_adopted_trained_and_its_version_judged(project, answer, n_rows, categories, time):
    table = make_table(n_rows, "number" if answer == "whole number" else answer)
    if answer == "whole number":
        table["answer"] = (table["answer"] * 100).round().astype(int)
    if not categories:
        table = table.drop(columns=["colour", "town"])
    if time is None:
        table = table.drop(columns="when")
    else:  # up to four rows an hour, so that days differ in their rows
        table["when"] = table["when"].iloc[0] + (table["when"] - table["when"].iloc[0]) / max(1, n_rows // 2000)
        table["when"] = table["when"].dt.floor("s")
    table.to_parquet(project.parent / "table.parquet")
    options = ["--time", time] if time else []
    succeed(project, "adopt", str(project.parent / "table.parquet"), "--target", "answer", *options)
    trained = run_kedro(project, "run", "--pipelines=train")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    gate = json.loads((project / "data" / "08_reporting" / "gate.json").read_text())
    assert gate["verdict"] == "passed", gate["rules"]
    metrics = json.loads((project / "data" / "08_reporting" / "metrics.json").read_text())
    metric = "r2" if "number" in answer else "roc_auc"
    assert metrics[metric] > 0.5
    assert np.isfinite(list(metrics.values())).all()
