"""Trainings against a slow, a failing and a restarting MLflow server: they wait or end with a line."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow.models import get_model_info
from mlflow.tracking import MlflowClient

from ..lineage.adopted import copy_adopted
from ..proxy import proxy_of
from .deployed import ADMIN, SECRETS, Clone, Team, administrator_of, mlflow_server, without_mlflow

pytestmark = pytest.mark.slow

MODEL = "orders"
PATIENCE = 240  # seconds


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """All servers but MLflow's, which any port of this machine may be the name of."""
    with without_mlflow(tmp_path_factory.mktemp("servers")) as started:
        started.environment["MLFLOW_ALLOWED_HOSTS"] = "127.0.0.1:*"
        yield started


@pytest.fixture(scope="module")
def clone(tmp_path_factory, servers):
    """A clone of the administrator."""
    folder = copy_adopted(tmp_path_factory)
    return Clone.of(folder, Team(servers, {ADMIN: SECRETS["MLFLOW_AUTH_ADMIN_PASSWORD"]}), ADMIN)


@pytest.fixture(autouse=True)
def connected(servers):
    with administrator_of(servers):
        yield


def start_training(clone: Clone, url: str, iterations: int) -> subprocess.Popen[str]:
    command = [Path(sys.executable).with_name("kedro"), "run", "--pipeline=train", "--params"]
    return subprocess.Popen(
        [*command, f"estimator.kwargs.max_iter={iterations}"],
        cwd=clone.folder,
        env=clone.environment | {"MLFLOW_TRACKING_URI": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(training: subprocess.Popen[str]) -> str:
    """What a training has printed, which ended well or with a line."""
    printed, _ = training.communicate(timeout=PATIENCE)
    assert "Traceback" not in printed, printed
    if training.returncode:
        assert training.returncode == 1
        assert printed.strip().splitlines()[-1].startswith("Error: "), printed
    return printed


def versions() -> dict[str, int]:
    """How many versions each run has; each version has its verdict, its files and a run that has ended."""
    found = MlflowClient().search_model_versions(f"name = '{MODEL}'")
    for version in found:
        assert version.tags["gate"] in ("passed", "refused")
        assert get_model_info(f"models:/{MODEL}/{version.version}").signature is not None
        assert MlflowClient().get_run(version.run_id).info.status == "FINISHED"
    run_ids = [version.run_id for version in found]
    return {run_id: run_ids.count(run_id) for run_id in run_ids}


def test_a_server_that_takes_half_a_second_a_call_is_waited_for(servers, clone):
    with mlflow_server(servers.folder, servers.environment), proxy_of(servers.url) as (proxy, url):
        proxy.behave(seconds=0.5)
        training = start_training(clone, url, 20)
        printed = finished(training)
        assert training.returncode == 0, printed
        assert list(versions().values()) == [1]


def test_a_server_that_fails_now_and_then_leaves_whole_versions(servers, clone):
    with mlflow_server(servers.folder, servers.environment), proxy_of(servers.url) as (proxy, url):
        before = versions()
        proxy.behave("error", every=10)
        finished(start_training(clone, url, 21))
        proxy.behave()
        after = versions()
        assert set(after.values()) == {1}
        assert len(after) - len(before) <= 1


def test_a_server_that_restarts_during_a_training_is_waited_for(servers, clone):
    with mlflow_server(servers.folder, servers.environment):
        before = versions()
        training = start_training(clone, servers.url, 23)
        until = time.monotonic() + PATIENCE
        while "mlflow-artifacts/" not in (servers.folder / "mlflow.log").read_text():
            assert time.monotonic() < until and training.poll() is None
            time.sleep(0.01)
    with mlflow_server(servers.folder, servers.environment):
        printed = finished(training)
        assert training.returncode == 0, printed
        after = versions()
        assert set(after.values()) == {1}
        assert len(after) == len(before) + 1
