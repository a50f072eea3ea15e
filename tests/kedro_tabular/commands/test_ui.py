"""`kedro ui` opens the configured store, wherever that is, on a free port."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from ...conftest import run_kedro
from ..lineage.adopted import copy_trained

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_trained(tmp_path_factory)
    (folder / "mlflow.db").rename(folder / "of_mine.db")
    (folder / "conf" / "local" / "mlflow.yml").write_text("server: {mlflow_tracking_uri: 'sqlite:///of_mine.db'}\n")
    return folder


def ignore_interrupts():
    """As a shell lets a command in the background do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize(("sent", "before"), [(signal.SIGINT, ignore_interrupts), (signal.SIGTERM, None)])
def test_the_page_of_the_runs_of_the_configured_store_is_served_until_it_is_interrupted(project, sent, before):
    command = [Path(sys.executable).with_name("kedro"), "ui", "--no-browser"]
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    with subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=before
    ) as process:
        try:
            address, _, page = process.stdout.readline().strip().partition("#")
            assert page == "/experiments/1/runs?workflowType=machine_learning"
            assert "<title>MLflow</title>" in requests.get(address, timeout=30).text
            found = requests.post(
                f"{address}api/2.0/mlflow/runs/search", json={"experiment_ids": ["1"]}, timeout=30
            ).json()
            (run,) = found["runs"]
            assert run["info"]["run_name"].startswith("orders train ")
        finally:
            process.send_signal(sent)
        assert process.wait(timeout=60) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=5)


def test_of_a_server_it_only_gives_the_address(project):
    (project / "conf" / "local" / "mlflow.yml").write_text("server: {mlflow_tracking_uri: 'http://127.0.0.1:1'}\n")
    done = run_kedro(project, "ui", "--no-browser")
    assert done.returncode == 1  # it does not answer
    assert "http://127.0.0.1:1 does not answer" in done.stderr
