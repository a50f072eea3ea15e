"""Models that were registered while all code was the package `project`: they are served, compared and monitored on.

The store in stores/package_project.tar.xz was made at commit e273c34, the last one before the library: a table of 700
rows adopted, two trainings, a batch prediction, requests to `kedro serve`, a monitoring run. Plots, reports and lock
files of the runs were taken out to keep it small, and paths, user and machine are renamed.
"""

import json
import shutil

import mlflow
import pandas as pd
import pytest
import requests
import yaml
from kedro_tabular.contract.predictions import classes_of
from kedro_tabular.registry.loading import ModelProcess, load_model

from ..conftest import ROOT, copy_code, run_kedro
from ..processes import serving

STORE = ROOT / "tests" / "kedro_tabular" / "stores" / "package_project.tar.xz"
WINDOW = "since=2020-01-01,until=2021-01-01,monitoring.min_rows=30"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the code at hand, the settings of the store, and the store."""
    folder = copy_code(tmp_path_factory.mktemp("earlier"))
    shutil.unpack_archive(STORE, folder / "stored")
    stored, base = folder / "stored", folder / "conf" / "base"
    for path in stored.glob("conf/base/parameters*.yml"):
        text = path.read_text(encoding="utf-8").replace("project.fallback.", "kedro_tabular.modelling.")
        (base / path.name).write_text(text.replace("requirements: [mlflow", "requirements: [lazy-loader, mlflow"))
    table = yaml.safe_load((stored / "conf" / "base" / "catalog.yml").read_text(encoding="utf-8"))["table"]
    table["type"] = "kedro_tabular.datasets.TableFileDataset"
    table["validator"]["class"] = "kedro_tabular.contract.TableValidator"
    (folder / "conf" / "local" / "catalog.yml").write_text(yaml.safe_dump({"table": table}))
    for path in (base / "catalog_ingestion.yml", base / "parameters_ingestion.yml"):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / "src" / "project" / "pipelines" / "ingestion", ignore_errors=True)
    for name in ("mlflow.db", "mlartifacts", "data"):
        (stored / name).rename(folder / name)
    return folder


def succeed(folder, *arguments):
    """What a command prints. A process of its own: MLflow keeps a store of a relative address for its whole process."""
    done = run_kedro(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def predictions(folder):
    return pd.read_parquet(folder / "data" / "07_model_output" / "predictions.parquet")


def test_a_table_is_scored_bit_for_bit_as_before(project):
    before = predictions(project)
    succeed(project, "run", "--pipelines=inference")
    after = predictions(project)
    assert len(after) == 68
    pd.testing.assert_frame_equal(after, before, check_exact=True)


def test_the_service_predicts_explains_and_falls_back_as_before(project):
    stored = json.loads((project / "stored" / "served.json").read_text(encoding="utf-8"))
    with serving(project) as (_, url):
        response = requests.post(f"{url}/predict?explain=true", json=stored["request"], timeout=60)
        version = requests.get(f"{url}/version", timeout=10).json()
    before, after = stored["response"], response.json()
    for row in (*before["predictions"], *after["predictions"]):
        del row["id"]
    assert after == before
    assert {row["source"] for row in after["predictions"]} == {"model", "fallback"}
    assert version["version"] == "2"


def test_versions_are_listed_and_traced(project):
    listed = json.loads(succeed(project, "models", "--json"))
    assert [(row["version"], row["alias"], row["gate"]) for row in listed] == [
        (2, ["champion"], "passed"),
        (1, ["previous"], "passed"),
    ]
    assert listed[0]["metrics.roc_auc"] == pytest.approx(0.9378, abs=5e-5)
    origin = json.loads(succeed(project, "lineage", "champion", "--json"))
    assert origin["version"] == "2"
    assert origin["parameters"]["estimator.kwargs.max_iter"] == "30"
    assert "preprocessor" in {file["dataset"] for file in origin["data"]}


def test_monitoring_compares_with_the_stored_profile(project):
    report = project / "data" / "08_reporting" / "monitoring.json"
    before = json.loads(report.read_text(encoding="utf-8"))["versions"]["2"]
    succeed(project, "run", "--pipelines=monitoring", f"--params={WINDOW}")
    after = json.loads(report.read_text(encoding="utf-8"))["versions"]["2"]
    # the requests of the test above are in the log now, too
    assert after["rows"] >= before["rows"] == 74
    assert after["outcomes"] == before["outcomes"] == 65
    assert after["measured"] == before["measured"]
    assert after["reference"] == before["reference"]
    state = json.loads((project / "data" / "08_reporting" / "alerts.json").read_text(encoding="utf-8"))
    assert "latency_p99_ms the service" in state  # the alert that was known before is still known


def test_a_new_model_is_compared_with_the_earlier_champion_and_takes_its_place(project):
    succeed(project, "run", "--pipelines=train")
    gate = json.loads((project / "data" / "08_reporting" / "gate.json").read_text(encoding="utf-8"))
    assert gate["champion"] == "2"
    assert gate["problem"] is None
    assert gate["metrics"]["roc_auc"]["champion"] == pytest.approx(0.9378, abs=5e-5)
    listed = {row["version"]: row["alias"] for row in json.loads(succeed(project, "models", "--json"))}
    assert 3 in listed
    if listed[3] == ["champion"]:
        succeed(project, "rollback")
        assert json.loads(succeed(project, "models", "--json"))[1]["alias"] == ["champion"]


def test_an_earlier_model_runs_its_own_code_in_a_process_of_its_own(project):
    folder = next(
        path.parent
        for path in project.glob("mlartifacts/models/*/artifacts/MLmodel")
        if (path.parent / "code" / "project" / "model.py").exists()
    )
    model = load_model(folder)
    assert isinstance(model, ModelProcess)
    rows = mlflow.models.Model.load(str(folder)).load_input_example(str(folder))
    assert classes_of(model.predict(rows).columns) == ["no", "yes"]
