"""The service in several processes: one that dies is replaced, and is no longer in the metrics."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import mlflow
import psutil
import pytest
import requests
from kedro.io import DatasetError
from kedro_tabular.serving.server import serve

from ...conftest import fit_packaged
from ...processes import free_port
from ..registering import make_registry, register
from .conftest import records, settings_of

SERVE = """
import json, sys
from kedro_tabular.serving import ServingSettings, serve
if __name__ == "__main__":
    serve(ServingSettings.read("serving", json.loads(sys.argv[1])), "small", sys.argv[2])
"""


SERVE_MANY = """
import json, sys
from kedro_tabular.serving import ManySettings, serve_many
if __name__ == "__main__":
    shared = json.loads(sys.argv[1])
    models, segments = {"pooled": shared, "red": shared}, {"red": {"colour": "red"}}
    given = {"shared": shared, "models": models, "segments": segments, "default": "pooled"}
    serve_many(ManySettings.read("serving", given), sys.argv[2])
"""


@contextmanager
def serving(folder, script=SERVE, **changes):
    """The service in two processes, until the end of the block."""
    port = free_port()
    (folder / "serve.py").write_text(script)
    settings = settings_of(folder, workers=2, port=port, **changes).model_dump_json()
    command = [sys.executable, str(folder / "serve.py"), settings, mlflow.get_registry_uri()]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def wait_for(condition, process, seconds=400):
    until = time.monotonic() + seconds
    while True:
        assert time.monotonic() < until and process.poll() is None
        with suppress(requests.RequestException):
            if condition():
                return
        time.sleep(0.2)


def workers_of(process):
    """The processes that serve; another child is the resource tracker."""
    found = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # or a zombie
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.mark.slow
def test_a_process_that_dies_is_replaced_and_leaves_the_metrics(tmp_path):
    registry = make_registry(tmp_path, fit_packaged("binary"))
    register(registry, fit_packaged("binary"))

    with serving(tmp_path, refresh_seconds=0.2) as (process, url):
        wait_for(lambda: requests.get(f"{url}/ready", timeout=5).ok, process)
        wait_for(lambda: "registry_reachable 1.0" in requests.get(f"{url}/metrics", timeout=5).text, process)
        for _ in range(20):
            requests.post(f"{url}/predict", json={"records": records(1)}, timeout=60)
        database = tmp_path / "mlflow.db"
        database.rename(tmp_path / "away.db")
        wait_for(lambda: "registry_reachable 0.0" in requests.get(f"{url}/metrics", timeout=5).text, process)
        first = workers_of(process)
        assert len(first) == 2
        for worker in first:
            os.kill(worker.pid, signal.SIGSTOP)  # so that they do not see it come back
        (tmp_path / "away.db").rename(database)
        for worker in first:
            os.kill(worker.pid, signal.SIGKILL)
        wait_for(lambda: len([w for w in workers_of(process) if w not in first]) == 2, process)
        wait_for(lambda: requests.get(f"{url}/ready", timeout=5).ok, process)
        # of those that live, once they have asked the registry
        wait_for(lambda: "registry_reachable 1.0" in requests.get(f"{url}/metrics", timeout=5).text, process)
        metrics = requests.get(f"{url}/metrics", timeout=5).text
        assert 'rows_total{model="small",source="model"} 20.0' in metrics  # of all that have lived


@pytest.mark.slow
def test_each_process_serves_all_models(tmp_path):
    registry = make_registry(tmp_path, fit_packaged("binary"))
    for name in ("pooled", "red"):
        register(registry, fit_packaged("binary"), name=name)
    with serving(tmp_path, SERVE_MANY) as (process, url):
        wait_for(lambda: requests.get(f"{url}/ready", timeout=5).ok, process)
        for _ in range(10):  # a connection each, so that both processes are asked
            rows = [row | {"colour": colour} for row, colour in zip(records(2), ("red", "blue"), strict=True)]
            answer = requests.post(f"{url}/predict", json={"records": rows}, timeout=60).json()
            assert [row["model"] for row in answer["predictions"]] == ["red", "pooled"]
        metrics = requests.get(f"{url}/metrics", timeout=5).text
        assert 'rows_total{model="red",source="model"} 10.0' in metrics
        assert 'rows_total{model="pooled",source="model"} 10.0' in metrics


def test_several_processes_without_a_log_end_with_an_error_instead_of_being_started_again_and_again(tmp_path):
    registry = make_registry(tmp_path, fit_packaged("binary"))
    register(registry, fit_packaged("binary"))
    (tmp_path / "file").touch()
    settings = settings_of(tmp_path, workers=2, log={"url": f"sqlite:///{tmp_path}/file/log.db", "keys": []})
    with pytest.raises(DatasetError, match="the prediction log is not available"):
        serve(settings, "small", mlflow.get_registry_uri())
