"""Trainings during which the MLflow server is killed: nothing is half registered, and the next run works."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow.models import get_model_info
from mlflow.tracking import MlflowClient

from ..lineage.adopted import copy_adopted
from .deployed import ADMIN, SECRETS, Clone, Team, administrator_of, mlflow_server, without_mlflow

pytestmark = pytest.mark.slow

MODEL = "orders"
# A request of each phase in turn, after which the server is killed.
PHASES = ["runs/create", "mlflow-artifacts/", "logged-models", "model-versions/create", "model-versions/set-tag"]
PATIENCE = 240  # seconds


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with without_mlflow(tmp_path_factory.mktemp("servers")) as started:
        yield started


@pytest.fixture(scope="module")
def clone(tmp_path_factory, servers):
    """A clone of the administrator, whose client does not wait long for the server."""
    password = SECRETS["MLFLOW_AUTH_ADMIN_PASSWORD"]
    folder = copy_adopted(tmp_path_factory)
    made = Clone.of(folder, Team(servers, {ADMIN: password}), ADMIN)
    made.environment.update(MLFLOW_HTTP_REQUEST_MAX_RETRIES="1", MLFLOW_HTTP_REQUEST_TIMEOUT="20")
    return made


@pytest.fixture(autouse=True)
def connected(servers):
    with administrator_of(servers):
        yield


def check_versions():
    """Each version has its verdict and its files; the champion is one of them. Returns the numbers."""
    client = MlflowClient()
    versions = client.search_model_versions(f"name = '{MODEL}'")
    for version in versions:
        assert version.tags["gate"] in ("passed", "refused")
        assert get_model_info(f"models:/{MODEL}/{version.version}").signature is not None
    if versions:
        aliases = client.get_registered_model(MODEL).aliases
        assert set(aliases.values()) <= {str(version.version) for version in versions}
    return {str(version.version) for version in versions}


def test_a_killed_server_leaves_whole_versions_and_the_next_run_gets_further(servers, clone):
    command = [Path(sys.executable).with_name("kedro"), "run", "--pipeline=train", "--params"]
    known: set[str] = set()
    for number, phase in enumerate(PHASES):
        with mlflow_server(servers.folder, servers.environment):
            found = check_versions()
            assert len(found - known) <= 1
            known = found
            training = subprocess.Popen(
                [*command, f"estimator.kwargs.max_iter={20 + number}"],
                cwd=clone.folder,
                env=clone.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            until = time.monotonic() + PATIENCE
            while phase not in (servers.folder / "mlflow.log").read_text():
                assert time.monotonic() < until and training.poll() is None, training.communicate()[0]
                time.sleep(0.01)
        printed, _ = training.communicate()
        assert training.returncode == 1, printed
        assert "Traceback" not in printed, printed
        assert printed.strip().splitlines()[-1].startswith("Error: ")

    with mlflow_server(servers.folder, servers.environment):
        found = check_versions()
        assert len(found - known) <= 1
        clone.succeed("run", "--pipeline=train", "--params", "estimator.kwargs.max_iter=25")
        assert check_versions() > found
        assert MlflowClient().get_model_version_by_alias(MODEL, "champion")
        running = MlflowClient().search_runs(["1"], "attributes.status = 'RUNNING'")
        assert running == []
