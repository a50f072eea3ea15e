"""Where artifacts go, by the kind of the store: a path of one machine is no location for a store of several."""

import mlflow
import pytest
from kedro_tabular.lineage.artifact_location import artifact_location, check_artifact_location
from kedro_tabular.lineage.connection import connect
from kedro_tabular.parameters import ParameterError
from mlflow.entities import Experiment

SERVER, FILE = "http://ana:secret@mlflow.example.com:5000", "sqlite:///mlflow.db"


@pytest.mark.parametrize(
    ("store", "configured", "location"),
    [
        (FILE, None, "mlartifacts"),
        (FILE, "elsewhere", "elsewhere"),
        (FILE, "s3://bucket/mlflow", "s3://bucket/mlflow"),
        (SERVER, None, None),  # the server decides
        (SERVER, "mlartifacts", None),  # of conf/ of an earlier release
        (SERVER, "s3://bucket/mlflow", "s3://bucket/mlflow"),
        ("databricks", None, None),
        ("postgresql://host/mlflow", "s3://bucket/mlflow", "s3://bucket/mlflow"),
    ],
)
def test_a_path_counts_only_for_a_store_in_the_project(store, configured, location):
    assert artifact_location(store, configured) == location


@pytest.mark.parametrize("configured", [None, "mlartifacts"])
def test_a_database_without_a_server_needs_a_location_and_its_password_is_not_told(configured):
    with pytest.raises(ParameterError, match="artifact_location") as told:
        artifact_location("postgresql+psycopg://ana:secret@host/mlflow", configured)
    assert "secret" not in str(told.value)


def test_versions_are_registered_where_the_runs_are_whatever_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"sqlite:///{tmp_path}/other.db")
    store = f"sqlite:///{tmp_path}/mlflow.db"
    settings = {"server": {"mlflow_tracking_uri": store}, "tracking": {"experiment": {}}}
    try:
        connect({"mlflow": settings}, tmp_path)
        assert mlflow.get_registry_uri() == store
    finally:
        mlflow.set_tracking_uri(None)


def experiment(location):
    return Experiment("7", "orders", location, "active")


@pytest.mark.parametrize(
    ("store", "location", "configured"),
    [
        (SERVER, "mlflow-artifacts:/7", None),
        (SERVER, "s3://bucket/7", None),
        (SERVER, "file:///shared/mlflow", "file:///shared/mlflow"),  # chosen: a disk that all have
        (FILE, "file:///nowhere/mlartifacts", None),  # relocated where it was moved
    ],
)
def test_locations_that_all_machines_reach_are_accepted(store, location, configured):
    check_artifact_location(experiment(location), store, configured)


@pytest.mark.parametrize("location", ["/nowhere/mlartifacts/7", "file:///nowhere/mlartifacts/7"])
def test_a_path_of_another_machine_is_refused_with_the_cure(location):
    with pytest.raises(ParameterError, match="mlflow experiments rename --experiment-id 7") as told:
        check_artifact_location(experiment(location), SERVER, None)
    assert "secret" not in str(told.value)


def test_a_path_of_this_machine_is_a_warning(tmp_path, caplog):
    check_artifact_location(experiment(str(tmp_path / "mlartifacts")), SERVER, None)
    assert "no other finds them" in caplog.text
