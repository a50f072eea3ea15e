"""The champion changes, the registry is unreachable, versions can't be loaded: the service goes on."""

import json
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
import requests
from kedro_tabular.modelling import serialization
from kedro_tabular.serving.deployment import Deployment, DeploymentError
from mlflow.tracking import MlflowClient

from ...conftest import fit_packaged, make_table
from ..registering import TRUSTED, break_archived_code, make_registry, register, store, verdict
from .conftest import Server, records, start


@pytest.fixture
def service(tmp_path):
    running = start(tmp_path, fit_packaged("binary"))
    yield running
    running.server.stop()
    mlflow.end_run()


def served_version(service):
    return service.server.post("/predict", {"records": records(1)}).json()["version"]


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "timeout"
        time.sleep(0.05)


class Load:
    """Clients that send requests without a pause, and the responses."""

    def __init__(self, url, clients=4):
        self._url, self._stop = url, threading.Event()
        self.statuses, self.versions, self.ids = [], [], []
        self._threads = [threading.Thread(target=self._send_requests) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _send_requests(self):
        session, body = requests.Session(), {"records": records(2)}
        while not self._stop.is_set():
            response = session.post(f"{self._url}/predict", json=body, timeout=60)
            self.statuses.append(response.status_code)
            if response.status_code == 200:
                payload = response.json()
                self.versions.append(payload["version"])
                self.ids += [row["id"] for row in payload["predictions"]]

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_a_new_champion_takes_over_under_load_without_a_failed_request(service):
    better = fit_packaged("binary", {"class": "sklearn.linear_model.LogisticRegression"})
    load = Load(service.server.url)
    store(service.folder, better)
    register(service.registry, better, verdict("1"))
    wait_for(lambda: load.versions and load.versions[-1] == "2")
    time.sleep(0.5)
    load.end()
    assert set(load.statuses) == {200}
    first = load.versions.index("2")
    in_progress = 4
    assert set(load.versions[:first]) == {"1"}
    assert set(load.versions[first + in_progress :]) == {"2"}
    version = service.server.get("/version").json()
    assert (version["model"], version["version"]) == ("small", "2")
    logged = service.logged().set_index("id")
    assert set(load.ids) <= set(logged.index)
    assert set(logged["version"]) == {"1", "2"}
    assert 'model_version{model="small",version="2"} 1.0' in service.server.get("/metrics").text


@pytest.mark.parametrize("fault", ["files are missing", "does not predict its example"])
def test_a_version_that_can_not_predict_is_refused_and_the_old_one_is_served_on(service, fault):
    example = make_table(3)[service.model.contract.features]
    if fault == "does not predict its example":
        example = example.assign(size=-1.0)
    known = set(service.folder.rglob("MLmodel"))
    register(service.registry, service.model, verdict("1", promote="manual"), example)
    if fault == "files are missing":
        (new,) = (p for p in set(service.folder.rglob("MLmodel")) - known if "served" not in p.parts)
        shutil.rmtree(new.parent / "artifacts")
    MlflowClient().set_registered_model_alias("small", "champion", "2")
    wait_for(lambda: service.server.get("/ready").json()["refused"])
    ready = service.server.get("/ready").json()
    assert (ready["status"], ready["version"], ready["refused"]) == ("ready", "1", ["2"])
    assert str(service.folder) not in service.server.get("/ready").text
    assert served_version(service) == "1"
    assert 'versions_refused{model="small"} 1.0' in service.server.get("/metrics").text


def test_an_error_of_archived_code_is_an_internal_error_of_that_request_alone(service):
    known = set(service.folder.rglob("MLmodel"))
    register(service.registry, service.model, verdict("1", promote="manual"))
    (new,) = (path for path in set(service.folder.rglob("MLmodel")) - known if "served" not in path.parts)
    break_archived_code(new.parent)
    MlflowClient().set_registered_model_alias("small", "champion", "2")
    wait_for(lambda: served_version(service) == "2")
    load = Load(service.server.url)
    responses = [service.server.post("/predict", {"records": records(1, size=13)}) for _ in range(3)]
    load.end()
    assert [response.status_code for response in responses] == [500] * 3
    assert {response.json()["error"]["code"] for response in responses} == {"internal_error"}
    assert "thirteen" not in responses[0].text
    assert set(load.statuses) == {200}


def test_a_start_with_a_champion_that_can_not_predict_serves_the_last_good_version(service):
    known = set(service.folder.rglob("MLmodel"))
    register(service.registry, service.model, verdict("1", promote="manual"))
    (new,) = (path for path in set(service.folder.rglob("MLmodel")) - known if "served" not in path.parts)
    service.deployment.close()
    new.with_name("away").mkdir()
    (new.parent / "artifacts").rename(new.parent / "away" / "artifacts")
    MlflowClient().set_registered_model_alias("small", "champion", "2")
    again = Deployment("small", "champion", Path(service.settings.local_copy))
    again.start()
    assert (again.current.identity.version, again.refused_versions) == ("1", ["2"])
    (new.parent / "away" / "artifacts").rename(new.parent / "artifacts")
    for _ in range(13):  # it is retried
        again.refresh()
    assert (again.current.identity.version, again.refused_versions) == ("2", [])
    with pytest.raises(DeploymentError, match="can't predict its input example"):
        (new.parent / "artifacts").rename(new.parent / "away" / "artifacts")
        Deployment("small", "champion", service.folder / "elsewhere").start()


def test_without_its_registry_the_service_goes_on_reports_it_and_can_be_restarted(service):
    database = service.folder / "mlflow.db"
    load = Load(service.server.url, clients=2)
    database.rename(service.folder / "away.db")
    wait_for(lambda: service.server.get("/ready").json()["registry"].startswith("unreachable since"))
    time.sleep(0.5)
    load.end()
    assert set(load.statuses) == {200}
    assert "registry_reachable 0.0" in service.server.get("/metrics").text
    assert not database.exists()  # MLflow has not created another one

    again = Deployment("small", "champion", Path(service.settings.local_copy))
    again.start()
    second = Server(service.settings, again)
    assert second.post("/predict", {"records": records(1)}).json()["version"] == "1"
    assert second.get("/version").json() == service.server.get("/version").json()
    second.stop()

    (service.folder / "away.db").rename(database)
    wait_for(lambda: service.server.get("/ready").json()["registry"] == "reachable")


def test_the_refresh_goes_on_after_any_error_and_the_service_tells(service, tmp_path):
    def ready():
        return service.server.get("/ready").json()

    first = ready()
    assert first["refresh"] == "working"
    calls = []

    def after_refresh():
        calls.append(len(calls))
        raise SystemExit("of a callback")

    other = Deployment("small", "champion", tmp_path / "other")
    other.start()
    other.start_polling(0.01, after_refresh)
    wait_for(lambda: len(calls) > 2)
    other.close()

    def fail(version):
        raise SystemExit("of a library")  # an error that nobody foresaw

    service.deployment._deploy = fail
    register(service.registry, service.model, verdict("1"))
    wait_for(lambda: ready()["refresh"].startswith("failing since 2"))
    wait_for(lambda: "refresh_failing 1.0" in service.server.get("/metrics").text)
    del service.deployment._deploy
    wait_for(lambda: served_version(service) == "2")
    wait_for(lambda: ready()["refresh"] == "working" and ready()["refreshed"] > first["refreshed"])
    metrics = service.server.get("/metrics").text
    assert float(metrics.split("\nrefreshed_timestamp_seconds ")[1].split()[0]) > time.time() - 60


def test_a_store_of_files_that_is_down_is_a_version_that_is_refused_and_tried_again(service, tmp_path, monkeypatch):
    """The client of S3 raises errors of its own, here because nobody listens."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    with closing(sqlite3.connect(service.folder / "mlflow.db")) as connection:
        register(service.registry, service.model, verdict("1", promote="manual"))
        connection.execute("UPDATE model_versions SET storage_location = 's3://none/files' WHERE version = 2")
        connection.commit()
    MlflowClient().set_registered_model_alias("small", "champion", "2")
    wait_for(lambda: service.server.get("/ready").json()["refused"] == ["2"], 60)
    assert service.server.get("/ready").json()["refresh"] == "working"
    assert served_version(service) == "1"


@pytest.fixture
def resting(service):
    """The service does not follow its alias: it would store the versions of other registries in its copy."""
    service.deployment.close()
    yield
    service.deployment.start_polling(service.settings.refresh_seconds, after_refresh=lambda: None)


def test_the_copy_of_another_registry_is_not_served(service, resting, tmp_path):
    copy = Path(service.settings.local_copy)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/new.db")  # the address has changed, and nothing is there yet
    with pytest.raises(DeploymentError, match="no version of it is in the local cache"):
        Deployment("small", "champion", copy).start()

    (tmp_path / "other").mkdir()
    registry = make_registry(tmp_path / "other", service.model)
    register(registry, service.model)
    again = Deployment("small", "champion", copy)
    again.start()
    expected = MlflowClient().get_model_version("small", "1")
    assert (again.current.identity.run_id, again.current.identity.model_id) == (expected.run_id, expected.model_id)
    (tmp_path / "other" / "mlflow.db").unlink()
    without = Deployment("small", "champion", copy)
    without.start()  # from the copy, which is of this registry now
    assert without.current.identity == again.current.identity


def test_without_registry_and_cache_nothing_starts(tmp_path):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(DeploymentError, match="no version of it is in the local cache"):
        Deployment("small", "champion", tmp_path / "served").start()
    assert not (tmp_path / "none.db").exists()


def test_a_version_number_is_fixed_an_alias_is_followed_and_an_unknown_reference_is_named(service):
    register(service.registry, service.model, verdict("1"))
    fixed = Deployment("small", "1", service.folder / "fixed")
    fixed.start()
    fixed.refresh()
    assert fixed.current.identity.version == "1"
    followed = Deployment("small", "champion", service.folder / "followed")
    followed.start()
    assert followed.current.identity.version == "2"
    for reference in ("9", "nobody"):
        with pytest.raises(DeploymentError, match=f"no version or alias '{reference}'"):
            Deployment("small", reference, service.folder / "other").start()


@pytest.mark.parametrize("changed", ["run_id", "model_id"])
def test_a_cached_version_of_another_store_is_not_served(service, changed):
    cached = Path(service.settings.local_copy) / "small" / "champion" / "1"
    identity = json.loads((cached / "version.json").read_text())
    (cached / "version.json").write_text(json.dumps(identity | {changed: "of another store"}))
    serialization.dump({"nothing": 1}, cached / "artifacts" / "model.skops", TRUSTED)
    again = Deployment("small", "champion", Path(service.settings.local_copy))
    again.start()
    assert getattr(again.current.identity, changed) == identity[changed]
