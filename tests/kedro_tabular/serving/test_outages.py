"""The registry and the storage, real servers behind proxies, are slow, fail or are down: the service answers on."""

import logging
import threading
import time
from pathlib import Path

import mlflow
import numpy as np
import pytest
import requests
from kedro_tabular.serving.deployment import Deployment
from mlflow.tracking import MlflowClient

from ...conftest import fit_packaged
from ...storage import BUCKET
from ..registering import empty_store, make_registry, register, verdict
from ..team import team_servers
from .conftest import Server, records, settings_of

logger = logging.getLogger(__name__)  # shows what was measured: -o log_cli=true --log-cli-level=INFO
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    """The servers, with two versions of a small model of which the first is champion."""
    folder = tmp_path_factory.mktemp("team")
    with team_servers(folder, empty_store()) as servers, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # as `kedro serve` sets them
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        patch.setenv("AWS_MAX_ATTEMPTS", "2")
        model = fit_packaged("binary")
        registry = make_registry(folder, model)
        mlflow.set_tracking_uri(servers.url)
        mlflow.set_experiment(experiment_id=mlflow.create_experiment("team", f"s3://{BUCKET}/mlflow"))
        register(registry, model)
        register(registry, model, verdict("1", promote="manual"))
        yield servers
        mlflow.end_run()


@pytest.fixture
def service(team, tmp_path):
    """The service with version 1, and its settings."""
    team.recover()
    promote(team, "1")
    mlflow.set_tracking_uri(team.url)
    settings = settings_of(tmp_path, refresh_seconds=0.5)
    deployment = Deployment("small", "champion", Path(settings.local_copy))
    deployment.start()
    server = Server(settings, deployment)
    yield server, settings
    team.recover()
    server.stop()


def promote(team, version):
    """Move the alias, whatever the proxies do."""
    MlflowClient(team.direct_url).set_registered_model_alias("small", "champion", version)


class Clients:
    """Clients that ask until the end of the block: the seconds, statuses and versions of the responses."""

    def __init__(self, url):
        self._url, self._stopped = url, threading.Event()
        self.seconds, self.statuses, self.versions = [], [], []

    def __enter__(self):
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def _ask(self):
        session, body = requests.Session(), {"records": records(2)}
        while not self._stopped.wait(0.01):
            started = time.perf_counter()
            response = session.post(f"{self._url}/predict", json=body, timeout=60)
            self.seconds.append(time.perf_counter() - started)
            self.statuses.append(response.status_code)
            self.versions.append(response.json().get("version"))

    def __exit__(self, *error):
        self._stopped.set()
        self._thread.join()

    def check(self, *versions):
        """Each request was answered, by these versions in their order, and none waited for a server."""
        assert set(self.statuses) == {200}
        assert list(dict.fromkeys(self.versions)) == list(versions)
        p99 = np.quantile(self.seconds, 0.99)
        logger.info("%s requests, p50 %.4f s, p99 %.4f s", len(self.seconds), np.median(self.seconds), p99)
        assert p99 < 1


def wait_for(condition, seconds):
    """The seconds until it holds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "timeout"
        time.sleep(0.1)
    return time.monotonic() - started


def ready(server):
    return server.get("/ready").json()


def test_slow_servers_delay_a_promotion_only(team, service):
    server, _ = service
    with Clients(server.url) as before:
        time.sleep(5)
    before.check("1")
    team.registry.behave(seconds=1)
    team.storage.behave(seconds=1)
    with Clients(server.url) as clients:
        time.sleep(6)
        assert ready(server)["registry"] == "reachable"
        promote(team, "2")
        logger.info("followed after %.1f s", wait_for(lambda: clients.versions[-1:] == ["2"], 300))
    clients.check("1", "2")


@pytest.mark.parametrize("fault", ["error", "down"])
def test_while_every_other_call_fails_the_service_answers_on_and_follows_when_they_work(team, service, fault, caplog):
    server, settings = service
    team.registry.behave(fault, every=2)
    team.storage.behave(fault, every=2)
    with Clients(server.url) as clients:
        promote(team, "2")
        time.sleep(10)
        now = ready(server)
        assert now["version"] in ("1", "2")
        assert now["version"] == "2" or now["refused"] == ["2"] or now["registry"] != "reachable"
        team.registry.behave(fault, every=2)
        started = time.monotonic()
        again = Deployment("small", "champion", Path(settings.local_copy))
        again.start()
        logger.info("started in %.1f s", time.monotonic() - started)
        assert again.current.identity.version in ("1", "2")
        team.recover()
        wait_for(lambda: clients.versions[-1:] == ["2"], 60)
        assert (ready(server)["registry"], ready(server)["refused"]) == ("reachable", [])
    clients.check("1", "2")


@pytest.mark.parametrize("fault", ["error", "down", "hanging"])
def test_without_the_registry_it_tells_starts_from_its_copy_and_follows_when_it_is_back(team, service, fault, caplog):
    server, settings = service
    hanging = {"seconds": 30} if fault == "hanging" else {}
    team.registry.behave(None if hanging else fault, **hanging)
    with Clients(server.url) as clients:
        promote(team, "2")
        wait_for(lambda: ready(server)["registry"].startswith("unreachable since"), 60)
        assert "registry_reachable 0.0" in server.get("/metrics").text
        started = time.monotonic()
        again = Deployment("small", "champion", Path(settings.local_copy))
        again.start()
        logger.info("started in %.1f s", time.monotonic() - started)
        assert time.monotonic() - started < 60
        assert again.current.identity.version == "1"
        assert again.registry_error.startswith("unreachable since")
        team.recover()
        logger.info("followed after %.1f s", wait_for(lambda: clients.versions[-1:] == ["2"], 90))
        assert ready(server)["registry"] == "reachable"
    clients.check("1", "2")
    told = [text for text in caplog.messages if text.startswith("the registry is not reachable: ")]
    assert told and all(f"{team.url} does not answer" in text and len(text) < 200 for text in told)


@pytest.mark.parametrize("fault", ["down", "cut"])
def test_a_version_that_comes_in_part_is_never_served(team, service, fault):
    server, settings = service
    team.storage.behave(fault, after=15)  # of some 80
    copies = Path(settings.local_copy) / "small" / "champion"
    with Clients(server.url) as clients:
        promote(team, "2")
        wait_for(lambda: ready(server)["refused"] == ["2"], 120)
        assert sorted(path.name for path in copies.iterdir() if path.is_dir()) == ["1"]
        assert 'versions_refused{model="small"} 1.0' in server.get("/metrics").text
        team.storage.behave(fault, after=15)
        again = Deployment("small", "champion", Path(settings.local_copy))
        again.start()
        assert (again.current.identity.version, again.refused_versions) == ("1", ["2"])
        team.recover()
        wait_for(lambda: clients.versions[-1:] == ["2"], 60)
    clients.check("1", "2")
