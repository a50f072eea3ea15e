"""The disk of the prediction log, of the local copy or of the shared metrics is full: a real one of a few megabytes."""

import os
import subprocess
import sys
import time
from itertools import count

import mlflow
import pytest
from kedro.io import DatasetError
from kedro_tabular.serving.deployment import Deployment
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.metrics import SHARED_FOLDER

from ...conftest import ROOT, fit_packaged
from ..disks import fill, make_room, small_disk
from ..registering import register, verdict
from .conftest import KEYS, records, start

# A process of the service that has its metrics, and then counts under many labels while the disk is full.
COUNTING = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from kedro_tabular.serving.metrics import SHARED_FOLDER, ServiceMetrics
from tests.kedro_tabular.disks import fill
disk = Path(os.environ[SHARED_FOLDER])
if sys.argv[2] == "before":
    fill(disk, 0)
metrics = ServiceMetrics()
fill(disk, 0)
for number in range(100):
    metrics.count_request(f"/{number}", 200, 0.1)
print(len(metrics.render()))
"""


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    with small_disk(tmp_path_factory.mktemp("disk"), 8_000_000) as folder:
        yield folder


@pytest.fixture
def service(tmp_path, disk):
    """The service, whose log and local copy are on the small disk."""
    changes = {"log": {"url": f"sqlite:///{disk}/log.db", "keys": KEYS}, "local_copy": str(disk / "served")}
    running = start(tmp_path, fit_packaged("binary"), **changes)
    yield running
    running.server.stop()
    mlflow.end_run()
    make_room(disk)


def test_a_full_log_is_503_nothing_is_half_logged_and_room_is_all_it_takes(service, disk, caplog):
    answered, body = [], {"records": records(20)}
    refused = {"code": "log_unavailable", "message": "the predictions can't be stored, so they are not returned; "}
    for left in (0, 8192, 200_000):
        fill(disk, left)
        for _ in range(100):
            response = service.server.post("/predict", body)
            if response.status_code != 200:
                break
            answered += [row["id"] for row in response.json()["predictions"]]
        assert response.status_code == 503
        assert response.json()["error"]["code"] == refused["code"]
        assert response.json()["error"]["message"].startswith(refused["message"])
        assert str(disk) not in response.text
        for attempt in range(100):  # fewer bytes may still fit
            outcomes = {"outcomes": [{"id": f"{attempt}-{number}", "outcome": 1} for number in range(400)]}
            told = service.server.post("/outcomes", outcomes)
            if told.status_code != 200:
                break
        assert (told.status_code, told.json()["error"]["code"]) == (503, "log_unavailable")
        assert service.server.get("/ready").json()["status"] == "ready"
        make_room(disk)
        response = service.server.post("/predict", body)
        assert response.status_code == 200
        answered += [row["id"] for row in response.json()["predictions"]]
        given = {"outcomes": [{"id": answered[-1], "outcome": 1}]}
        assert service.server.post("/outcomes", given).json() == {"stored": 1, "without_prediction": 0}
    assert sorted(service.logged()["id"]) == sorted(answered)
    told = [text for text in caplog.messages if text.startswith("the prediction log is not writable: ")]
    assert told
    assert all("the disk is full: there is no room left in " in text and str(disk) in text for text in told)


def test_a_log_that_does_not_fit_is_told_in_a_line(disk):
    fill(disk, 0)
    with pytest.raises(DatasetError, match="the prediction log is not available: the disk is full: ") as raised:
        PredictionLog(f"sqlite:///{disk}/other.db")
    make_room(disk)
    assert "\n" not in str(raised.value)
    PredictionLog(f"sqlite:///{disk}/other.db").close()


def test_a_promotion_that_does_not_fit_is_refused_until_there_is_room(service, disk, caplog):
    fill(disk, 100_000)
    register(service.registry, service.model, verdict("1"))
    for waited in count():
        if any("version 1 stays" in text for text in caplog.messages):
            break
        assert waited < 200
        time.sleep(0.1)
    assert service.server.get("/ready").json()["refused"] == ["2"]
    copies = disk / "served" / "small" / "champion"
    assert sorted(path.name for path in copies.iterdir() if path.is_dir()) == ["1"]
    (told,) = [
        text for text in caplog.messages if text.startswith("small version 2 can't be served, version 1 stays: ")
    ]
    assert "the disk is full: " in told
    assert str(disk) in told
    make_room(disk)
    for waited in count():
        if service.server.get("/version").json()["version"] == "2":
            break
        assert waited < 200
        time.sleep(0.1)


def test_a_restart_needs_no_room_for_the_local_copy(service, disk):
    fill(disk, 0)
    again = Deployment("small", "champion", disk / "served")
    again.start()
    assert (again.current.identity.version, again.refused_versions) == ("1", [])


@pytest.mark.slow
@pytest.mark.parametrize("full", ["before", "later"])
def test_a_full_disk_does_not_kill_a_process_that_shares_its_metrics(disk, full):
    shared = disk / full
    shared.mkdir()
    environment = os.environ | {SHARED_FOLDER: str(shared)}
    command = [sys.executable, "-c", COUNTING, str(ROOT), full]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    make_room(shared)
    if full == "later":
        assert (done.returncode, done.stderr) == (0, "")
        assert int(done.stdout) > 1000
    else:
        assert done.returncode == 1  # and not killed
        assert done.stderr.splitlines()[-1].startswith("OSError: [Errno 28] No space left on device")
        assert not list(shared.iterdir())  # an empty one would be an error of the others
