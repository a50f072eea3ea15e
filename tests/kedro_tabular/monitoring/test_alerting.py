"""Alerts that reach a real HTTP endpoint, and what happens where they don't."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from kedro.io import DatasetError

from kedro_tabular.monitoring.alerting import AlertsDataset

KEY = "drift size"


class Endpoint:
    """A web hook on loopback."""

    def __init__(self):
        self.received, self.status = [], 200
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                endpoint.received.append(json.loads(body))
                self.send_response(endpoint.status)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"json://127.0.0.1:{self._server.server_port}/alerts"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint():
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


def make(tmp_path, dry_run=False):
    return AlertsDataset(str(tmp_path / "new" / "alerts.json"), "TEST_ALERT_URLS", dry_run)


def alert(raised=True):
    state = {KEY: {"raised": raised, "told": not raised, "windows": int(raised)}}
    message = {"title": "small: 1 new" if raised else "small: 1 over", "body": "size moved"}
    return {"state": state, "message": message, "told": [KEY]}


def test_an_alert_and_its_recovery_reach_the_endpoint(tmp_path, endpoint, monkeypatch):
    monkeypatch.setenv("TEST_ALERT_URLS", endpoint.url)
    alerts = make(tmp_path)
    assert alerts.load() == {}
    alerts.save(alert())
    assert [said["title"] for said in endpoint.received] == ["small: 1 new"]
    assert endpoint.received[0]["message"] == "size moved"
    assert alerts.load()[KEY]["told"] is True
    alerts.save({"state": alerts.load(), "message": None, "told": []})
    assert len(endpoint.received) == 1
    alerts.save(alert(raised=False))
    assert [said["title"] for said in endpoint.received][1:] == ["small: 1 over"]
    assert alerts.load() == {}


def test_an_alert_that_can_not_be_delivered_counts_as_not_told(tmp_path, endpoint, monkeypatch):
    monkeypatch.setenv("TEST_ALERT_URLS", endpoint.url)
    endpoint.status = 500
    with pytest.raises(DatasetError, match="could not be delivered to all addresses of TEST_ALERT_URLS"):
        make(tmp_path).save(alert())
    assert make(tmp_path).load()[KEY] == {"raised": True, "told": False, "windows": 1}


def test_without_addresses_nobody_is_told_and_windows_are_counted(tmp_path, monkeypatch):
    monkeypatch.delenv("TEST_ALERT_URLS", raising=False)
    make(tmp_path).save(alert())
    assert make(tmp_path).load()[KEY] == {"raised": True, "told": False, "windows": 1}


def test_a_dry_run_sends_and_changes_nothing(tmp_path, endpoint, monkeypatch, caplog):
    monkeypatch.setenv("TEST_ALERT_URLS", endpoint.url)
    caplog.set_level("INFO")
    make(tmp_path, dry_run=True).save(alert())
    assert endpoint.received == []
    assert "size moved" in caplog.text
    assert make(tmp_path).load() == {}


def test_an_address_that_can_not_be_read_is_told_without_its_secrets(tmp_path, endpoint, monkeypatch, caplog):
    monkeypatch.setenv("TEST_ALERT_URLS", f"{endpoint.url} nonsense-with-secret")
    with pytest.raises(DatasetError, match="can't read address 2 of the 2 of TEST_ALERT_URLS") as refused:
        make(tmp_path).save(alert())
    assert "secret" not in str(refused.value) + caplog.text
    assert endpoint.received == []
    assert make(tmp_path).load()[KEY]["windows"] == 1
