"""`kedro run --pipeline=train` as a process, on real rows, with a real MLflow store."""

import mlflow
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from ..conftest import run_kedro
from .conftest import FAST


@pytest.fixture(scope="module")
def project(tmp_path_factory, copy_trained):
    """A copy of the project in which `train` has run once."""
    return copy_trained(tmp_path_factory.mktemp("here") / "project")


@pytest.fixture
def client(project):
    return MlflowClient(f"sqlite:///{project}/mlflow.db")


def test_version_1_is_registered_as_champion(client):
    version = client.get_model_version_by_alias("flight_delay", "champion")
    assert str(version.version) == "1"
    assert client.get_run(version.run_id).info.status == "FINISHED"


def test_the_run_holds_parameters_metrics_and_artifacts(client, project):
    run = client.get_run(client.get_model_version("flight_delay", "1").run_id)
    assert run.data.params["estimator.kwargs.max_iter"] == "20"
    assert run.data.params["table.columns.distance.type"] == "number"
    assert run.data.metrics["roc_auc"] > 0.55
    assert run.data.metrics["dummy_roc_auc"] == 0.5
    logged = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "gate.json", "metrics.json", "plots", "requirements.lock"} <= logged
    plots = {file.path for file in client.list_artifacts(run.info.run_id, "plots")}
    assert {"plots/roc_curve.svg", "plots/permutation_importance.svg"} <= plots


def test_the_run_prints_progress_result_and_what_is_next_and_no_noise(project):
    printed = (project / "printed.txt").read_text()
    for expected in (
        "train_estimator",
        "cancelled or diverted",
        "version 1 passed the gate and is champion",
        "roc_auc",
        "report.html",
    ):
        assert expected in printed
    assert "WARNING" not in printed
    assert "Deprecat" not in printed


@pytest.mark.parametrize(
    ("spoil", "parameters", "expected"),
    [
        ("remove", FAST, ["data/01_raw/planes.parquet is missing", "dvc pull data/01_raw/planes.parquet.dvc"]),
        ("range", FAST, ["seats is below 1 in", "for example [-1.0, -1.0, -1.0]"]),
        (None, f"{FAST},gate.metrics.nope.min=1", ["unknown metrics in conf/: gate.metrics.nope (nope)"]),
    ],
)
def test_bad_input_fails_by_name_and_registers_nothing(tmp_path, copy_project, spoil, parameters, expected):
    folder = copy_project(tmp_path)
    path = folder / "data/01_raw/planes.parquet"
    planes = pd.read_parquet(path)
    if spoil == "remove":
        path.unlink()
    elif spoil == "range":
        planes.assign(seats=-1.0).to_parquet(path)

    process = run_kedro(folder, "run", "--pipeline=train", "--params", parameters)

    printed = process.stdout + process.stderr
    assert process.returncode != 0
    assert "Traceback" not in printed
    assert not [text for text in expected if text not in printed], printed
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    assert mlflow.search_runs(search_all_experiments=True)["status"].tolist() == ["FAILED"]
    assert not MlflowClient(f"sqlite:///{folder}/mlflow.db").search_model_versions()
