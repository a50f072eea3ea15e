"""`kedro run --pipeline=monitoring` as a process: from the log to MLflow, a report and an alert."""

import json
import shutil

import mlflow
import pandas as pd
import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.contract.rows import to_columns
from kedro_tabular.modelling import serialization
from kedro_tabular.modelling.packaged_model import FITTED_ARTIFACTS, PackagedModel
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.log.records import LogContext, as_json, make_log_rows, utc_now
from kedro_tabular.serving.parsing import Rows
from mlflow.tracking import MlflowClient

from ..conftest import ROOT, run_kedro
from ..repositories import commit, git
from ..webhook import Endpoint
from .test_dvc import dvc, set_parameter, stages_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory, copy_trained, parameters):
    """A project whose model has answered the calibration month and the two after the test month."""
    folder = copy_trained(tmp_path_factory.mktemp("watching") / "project")
    stored = [
        serialization.load(folder / "data" / "06_models" / f"{name}.skops", parameters["trusted_types"])
        for name in FITTED_ARTIFACTS
    ]
    contract = Contract.from_parameters(parameters["table"])
    model = PackagedModel.from_parts(contract, *stored)
    log = PredictionLog(f"sqlite:///{folder}/data/07_model_output/prediction_log.db")
    for part in ("calibration", "live"):
        table = pd.read_parquet(folder / "data" / "03_primary" / f"{part}.parquet")
        if part == "calibration":  # again after the others, on the same days of the week
            table[contract.time] += pd.Timedelta(weeks=22)
        rows = Rows(to_columns(table[contract.features]), len(table))
        identifiers = [f"{part}-{number:06}" for number in range(len(table))]
        entered = LogContext(identifiers, [None] * len(table), 5.0)
        answers = model.predict_columns(rows.columns, len(table), False)
        log.append(make_log_rows(rows, answers, entered, contract, contract.name, "1"))
        known = zip(identifiers, table[contract.target].tolist(), strict=True)
        outcomes = [{"reference": f"id:{i}", "time": utc_now(), "outcome": as_json(o)} for i, o in known]
        log.add_outcomes(contract.name, outcomes)
    log.close()
    return folder


@pytest.fixture(scope="module")
def endpoint():
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


def monitor(folder, *params):
    return run_kedro(folder, "run", "--pipeline=monitoring", "--params", ",".join(params))


def result(folder):
    return json.loads((folder / "data" / "08_reporting" / "monitoring.json").read_text())


def test_a_winter_month_is_an_alert_with_a_report_and_a_run_linked_to_the_version(project, endpoint, monkeypatch):
    monkeypatch.setenv("ALERT_URLS", endpoint.url)
    process = monitor(project, "month=2013-12", "fail_on=alert")
    assert process.returncode == 1
    assert "Error: monitoring raised an alert of" in process.stderr
    assert "Traceback" not in process.stdout + process.stderr
    told = result(project)
    assert told["verdict"] == "alert"
    assert {"temp", "dewp"} <= {finding["subject"] for finding in told["findings"]}
    version = told["versions"]["1"]
    assert version["rows"] == version["outcomes"] > 600
    assert abs(version["measured"]["metric"] - version["estimated"]["metric"]) < 0.2
    [alert] = endpoint.received
    assert alert["title"].startswith("flight_delay: ")
    assert "temp" in alert["message"]
    assert "kedro run --pipeline=monitoring" in alert["message"]

    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    client = MlflowClient()
    registered = client.get_model_version("flight_delay", "1")
    assert registered.tags["monitoring.verdict"] == "alert"
    run = client.get_run(registered.tags["monitoring.run"])
    assert run.info.status == "FINISHED"
    assert run.data.tags["monitoring.versions"] == "1"
    assert [f"models:/{model.model_id}" for model in run.inputs.model_inputs] == [registered.source]
    assert run.data.metrics["version_1/psi/temp"] > 0.05
    measured = run.data.metrics["version_1/measured/roc_auc"]
    assert measured == pytest.approx(version["measured"]["metric"])
    logged = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert {"monitoring.json", "monitoring.html"} <= logged
    assert "<svg" in (project / "data" / "08_reporting" / "monitoring.html").read_text()


def test_the_calibration_month_again_tells_that_it_is_over(project, endpoint, monkeypatch):
    monkeypatch.setenv("ALERT_URLS", endpoint.url)
    before = len(endpoint.received)
    process = monitor(project, "since=2014-02-01", "until=2014-03-10", "fail_on=alert")
    assert process.returncode == 0, process.stdout + process.stderr
    assert result(project)["verdict"] == "ok"
    [recovery] = endpoint.received[before:]
    assert "recovered" in recovery["title"]
    assert json.loads((project / "data" / "08_reporting" / "alerts.json").read_text()) == {}


def test_a_window_without_rows_where_there_were_some_is_an_alert(project):
    process = monitor(project, "month=2014-06", "fail_on=alert")
    assert process.returncode == 1
    assert "no predictions of flight_delay from 2014-06-01" in process.stdout
    assert "Error: monitoring raised an alert of the service: no rows, " in process.stderr
    assert result(project)["verdict"] == "alert"


def test_new_rows_train_a_version_that_the_gate_compares_with_the_champion(project):
    """docs/monitoring.md, "When it drifts": what follows an alert."""
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, project)
    shutil.copytree(ROOT / ".dvc", project / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "sample"))
    for section, key, value in (
        ("training", "max_iter", 20),
        ("evaluation", "importance_rows", 200),
        ("packaging", "resamples", 100),
    ):
        set_parameter(project, section, key, value)
    raw = project / "data" / "01_raw" / "flights.parquet"
    newer = pd.read_parquet(raw)
    newer[newer["month"] <= 10].to_parquet(raw, index=False)
    for pointer in raw.parent.glob("*.dvc"):
        pointer.unlink()  # it names the remote of the sample
    git(project, "init", "--quiet")
    dvc(project, "add", "--quiet", *map(str, raw.parent.glob("*.parquet")))
    commit(project)

    newer[newer["month"] <= 11].to_parquet(raw, index=False)
    dvc(project, "add", "--quiet", str(raw))
    for part, day in (("train", "2013-09-30"), ("calibration", "2013-10-31"), ("test", "2013-11-30")):
        set_parameter(project, "data_prep", part, f'"{day}"')
    assert stages_run(project)[-1] == "packaging"

    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    client = MlflowClient()
    version = client.get_model_version("flight_delay", "2")
    assert version.tags["gate.champion"] == "1"
    champion = client.get_model_version_by_alias("flight_delay", "champion").version
    assert str(champion) == ("2" if version.tags["gate"] == "passed" else "1")
    profile = json.loads((project / "data" / "06_models" / "profile.json").read_text())
    october = newer[(newer["month"] == 10) & newer["arr_delay"].notna()]
    assert profile["rows"] == len(october)
