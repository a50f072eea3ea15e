"""More requests than the service can predict, over HTTP."""

import threading
import time
from dataclasses import replace

import mlflow
import pytest
import requests

from ...conftest import fit_packaged
from .conftest import records, start

SECONDS_PER_ROW = 0.02


class SlowModel:
    """A model that takes its time for each row."""

    def __init__(self, model):
        self._model = model

    def predict_columns(self, columns, n_rows, explain):
        time.sleep(SECONDS_PER_ROW * n_rows)
        return self._model.predict_columns(columns, n_rows, explain)


@pytest.fixture
def service(tmp_path):
    limits = {"seconds": 10, "queue_seconds": 0.2}
    running = start(tmp_path, fit_packaged("binary"), limits=limits, refresh_seconds=60)
    running.deployment.current = replace(running.deployment.current, model=SlowModel(running.deployment.current.model))
    yield running
    running.server.stop()
    mlflow.end_run()


class Flood:
    """Clients that ask again as soon as they are answered, and some that do not wait for the response."""

    def __init__(self, url, patient, impatient):
        self._url, self._stop = url, threading.Event()
        self.responses, self.given_up = [], 0
        threads = [threading.Thread(target=self._send, args=(timeout,)) for timeout in [60] * patient]
        threads += [threading.Thread(target=self._send, args=(0.05,)) for _ in range(impatient)]
        self._threads = threads
        for thread in threads:
            thread.start()

    def _send(self, timeout):
        session, body = requests.Session(), {"records": records(1)}
        session.headers["x-request-id"] = "flood"
        while not self._stop.is_set():
            try:
                response = session.post(f"{self._url}/predict", json=body, timeout=timeout)
            except requests.Timeout:
                self.given_up += 1
                continue
            self.responses.append(response)
            if response.status_code == 503:
                time.sleep(0.05)

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_under_overload_requests_are_refused_at_once_or_answered_in_time_and_logged_if_they_are_answered(service):
    flood = Flood(service.server.url, patient=12, impatient=3)
    time.sleep(3)
    metrics = service.server.get("/metrics").text
    flood.end()
    assert service.server.post("/predict", {"records": records(1)}).status_code == 200
    answered = [response for response in flood.responses if response.status_code == 200]
    refused = [response for response in flood.responses if response.status_code != 200]
    assert answered
    assert {(response.status_code, response.headers["retry-after"]) for response in refused} == {(503, "1")}
    assert {response.json()["error"]["code"] for response in refused} == {"overloaded"}
    assert {response.headers["x-request-id"] for response in flood.responses} == {"flood"}
    ids = {response.json()["predictions"][0]["id"] for response in answered}
    logged = set(service.logged()["id"])
    assert ids <= logged
    sent = service.server.get("/metrics").text.split('requests_total{path="/predict",status="200"} ')[1].split()[0]
    assert len(logged) == float(sent)  # also to clients that did not wait for it
    assert len(logged) < len(ids) + flood.given_up
    assert 'errors_total{code="overloaded",model="small"}' in metrics
    assert 'errors_total{code="disconnected",model="small"}' in metrics
    queued = {name: float(metrics.split(f"\nqueue_{name} ")[1].split()[0]) for name in ("requests", "rows", "seconds")}
    assert 1 <= queued["requests"] == queued["rows"]
    assert queued["seconds"] > 0
