"""The settings that `kedro adopt` writes, tried by training with them."""

import json

import numpy as np
import pytest

from ...conftest import make_table
from ..lineage.adopted import QUICK, make_repository, run, set_parameter

pytestmark = pytest.mark.slow

# Each kind of answer, size, and of what there is to predict it from: text or not, a time or not.
TABLES = [
    ("binary", 20_000, True, None),
    ("binary", 300, True, "when"),
    ("text", 5_000, False, "when"),
    ("number", 300, False, None),
    ("number", 5_000, True, "when"),
    ("whole number", 5_000, True, None),
]


@pytest.mark.parametrize(("answer", "n_rows", "categories", "time"), TABLES)
def test_a_table_is_adopted_trained_and_its_version_judged(tmp_path, answer, n_rows, categories, time):
    project = make_repository(tmp_path / "project")
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
    run(project, "adopt", str(project.parent / "table.parquet"), "--target", "answer", *options)
    for pipeline in ("evaluation", "packaging"):  # adopt has no settings of what takes long in these
        for key, value in QUICK[pipeline].items():
            set_parameter(project, pipeline, key, value)
    run(project, "run", "--pipelines=train")
    gate = json.loads((project / "data" / "08_reporting" / "gate.json").read_text())
    assert gate["verdict"] == "passed", gate["rules"]
    metrics = json.loads((project / "data" / "08_reporting" / "metrics.json").read_text())
    metric = "r2" if "number" in answer else "roc_auc"
    assert metrics[metric] > 0.5
    assert np.isfinite(list(metrics.values())).all()
