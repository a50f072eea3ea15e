"""Rules that hold for the project as a whole."""

import ast
import re
import shutil
import subprocess

import pytest
import yaml
from kedro.framework.project import configure_project

from project.pipeline_registry import TRAIN, register_pipelines

from .conftest import ROOT, succeed

SOURCES = sorted((ROOT / "src" / "project").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_the_package_imports_itself_relatively_so_that_it_can_be_renamed(path):
    imported = {
        name
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""] * (node.level == 0)
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not {name for name in imported if name.split(".")[0] == "project"}


def test_pipelines_do_not_import_each_other():
    for path in (ROOT / "src" / "project" / "pipelines").rglob("*.py"):
        siblings = [name for name in TRAIN if name != path.parent.name]
        assert not re.search(rf"from \.\.({'|'.join(siblings)})", path.read_text()), path


def test_the_lock_pins_everything_by_hash_and_names_no_index():
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^[a-z0-9].*", lock, re.MULTILINE)
    assert all("==" in line and line.endswith("\\") for line in pinned)
    assert "://" not in lock
    assert "--index" not in lock


def test_train_runs_all_stages_and_registers_last():
    configure_project("project")
    pipelines = register_pipelines()
    stages = [pipelines[name] for name in TRAIN if name in pipelines]
    assert {node.name for stage in stages for node in stage.nodes} == {node.name for node in pipelines["train"].nodes}
    # Whatever fails, fails before: a failed run leaves no registered version.
    assert pipelines["train"].nodes[-1].outputs == ["registered_model"]


@pytest.mark.usefixtures("parameters")  # there is none without a table
def test_dvc_yaml_is_in_step():
    succeed(ROOT, "dvc", "check")


@pytest.mark.usefixtures("parameters")
def test_stages_name_the_code_and_the_parameters_they_use():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    # through the packaged model
    assert "src/kedro_tabular/modelling/transformers.py" in stages["evaluation"]["deps"]
    assert "src/kedro_tabular/registry/versions.py" not in stages["training"]["deps"]
    # what the library calls by name
    features = "src/project/features.py"
    metrics = "src/project/metrics.py"
    assert all(features in stages[name]["deps"] for name in ("feature_engineering", "training", "evaluation"))
    assert all(metrics in stages[name]["deps"] for name in ("training", "evaluation", "packaging"))
    assert metrics not in stages["feature_engineering"]["deps"]
    keys = {"conf/base/parameters_training.yml": ["decision", "estimator", "fallback", "guard", "profile"]}
    assert keys in stages["training"]["params"]
    assert stages["evaluation"]["metrics"] == ["data/08_reporting/metrics.json"]
    assert "data/08_reporting/plots" in stages["evaluation"]["plots"]


@pytest.mark.usefixtures("parameters")
def test_make_clean_removes_what_a_training_makes_again_and_says_what_it_keeps(tmp_path):
    for name in ("Makefile", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    listed = [entry for stage in stages for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    made = [path for entry in listed for path in ([entry] if isinstance(entry, str) else entry)]
    assert {"data/06_models/model.skops", "data/08_reporting/metrics.json"} <= set(made)
    kept = [
        "data/07_model_output/prediction_log.db",
        "data/07_model_output/prediction_log.db-wal",
        "data/08_reporting/alerts.json",
        "data/03_primary/of my own.csv",
        "data/01_raw/table.csv",
        "mlartifacts/1/model",
        "mlflow.db",
    ]
    for path in (*made, *kept, ".venv/bin/python"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    done = subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, text=True, check=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"Makefile", "dvc.yaml", *kept}
    listed = {line.strip() for line in done.stdout.splitlines() if line.startswith("  ")}
    assert listed == {"mlartifacts", *kept} - {"data/01_raw/table.csv", "mlartifacts/1/model"}
    assert "rm -r NAME" in done.stdout


def test_both_entries_of_alerts_are_one_file():
    catalog = yaml.safe_load((ROOT / "conf" / "base" / "catalog.yml").read_text())
    assert catalog["alerts"]["filepath"] == catalog["alert_state"]["filepath"]
