"""Alerts that are sent to a real HTTP endpoint, and alerts that can't be delivered."""

import email
import email.policy

import pytest
from kedro.io import DatasetError
from kedro_tabular.monitoring.notification import AlertsDataset
from kedro_tabular.monitoring.text import without_markup

from ...webhook import Endpoint, Mailbox

KEY = "drift size"


@pytest.fixture
def endpoint():
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


def make(tmp_path, dry_run=False):
    return AlertsDataset(str(tmp_path / "new" / "alerts.json"), "TEST_ALERT_URLS", dry_run)


def alert(raised=True):
    state = {KEY: {"raised": raised, "told": not raised, "windows": int(raised)}}
    kind = "warning" if raised else "success"
    message = {"title": "small: 1 new" if raised else "small: 1 recovered", "body": "size shifted", "type": kind}
    return {"state": state, "message": message, "keys": [KEY]}


def test_an_alert_and_its_recovery_reach_the_endpoint(tmp_path, endpoint, monkeypatch):
    monkeypatch.setenv("TEST_ALERT_URLS", endpoint.url)
    alerts = make(tmp_path)
    assert alerts.load() == {}
    alerts.save(alert())
    assert [message["title"] for message in endpoint.received] == ["small: 1 new"]
    assert endpoint.received[0]["message"] == "size shifted"
    assert endpoint.received[0]["type"] == "warning"
    assert alerts.load()[KEY]["told"] is True
    alerts.save({"state": alerts.load(), "message": None, "keys": []})
    assert len(endpoint.received) == 1
    alerts.save(alert(raised=False))
    assert [message["title"] for message in endpoint.received][1:] == ["small: 1 recovered"]
    assert endpoint.received[1]["type"] == "success"
    assert alerts.load() == {}


def test_an_alert_that_can_not_be_delivered_is_not_marked_as_sent(tmp_path, endpoint, monkeypatch):
    monkeypatch.setenv("TEST_ALERT_URLS", endpoint.url)
    endpoint.status = 500
    with pytest.raises(DatasetError, match="could not be delivered to all addresses in TEST_ALERT_URLS"):
        make(tmp_path).save(alert())
    assert make(tmp_path).load()[KEY] == {"raised": True, "told": False, "windows": 1}


def test_without_addresses_no_alert_is_sent_and_windows_are_counted(tmp_path, monkeypatch):
    monkeypatch.delenv("TEST_ALERT_URLS", raising=False)
    make(tmp_path).save(alert())
    assert make(tmp_path).load()[KEY] == {"raised": True, "told": False, "windows": 1}


def test_mail_is_plain_text_with_its_lines(tmp_path, monkeypatch):
    mailbox = Mailbox()
    monkeypatch.setenv("TEST_ALERT_URLS", f"{mailbox.url}?from=service@here.example&to=team@here.example")
    decision = alert()
    decision["message"]["body"] = "New alerts:\n- size: mean 5 < 6 & more\n\nDetails: below"
    try:
        make(tmp_path).save(decision)
    finally:
        mailbox.close()
    [text] = mailbox.received
    mail = email.message_from_bytes(text, policy=email.policy.default)
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == decision["message"]["body"].splitlines()
    assert mail["subject"] == "small: 1 new"


def test_a_channel_that_interprets_plain_text_as_markdown_finds_none(tmp_path, endpoint, monkeypatch):
    """Mattermost, to which Apprise sends plain text as it is."""
    monkeypatch.setenv("TEST_ALERT_URLS", endpoint.url.replace("json://", "mmost://") + "/token123token")
    decision = alert()
    decision["message"]["body"] = "- " + without_markup("[gift](https://x.example) @all *5* <b>") + "\n- weight"
    make(tmp_path).save(decision)
    shown = endpoint.received[0]["text"]
    assert not set("[]<>@*") & set(shown)
    assert "://" not in shown
    assert shown.splitlines()[-1] == "- weight"


def test_a_dry_run_sends_and_changes_nothing(tmp_path, endpoint, monkeypatch, caplog):
    monkeypatch.setenv("TEST_ALERT_URLS", endpoint.url)
    caplog.set_level("INFO")
    make(tmp_path, dry_run=True).save(alert())
    assert endpoint.received == []
    assert "size shifted" in caplog.text
    assert make(tmp_path).load() == {}


def test_an_invalid_address_is_reported_without_its_secrets(tmp_path, endpoint, monkeypatch, caplog):
    monkeypatch.setenv("TEST_ALERT_URLS", f"{endpoint.url} nonsense-with-secret")
    with pytest.raises(DatasetError, match="can't read address 2 of 2 in TEST_ALERT_URLS") as error:
        make(tmp_path).save(alert())
    assert "secret" not in str(error.value) + caplog.text
    assert endpoint.received == []
    assert make(tmp_path).load()[KEY]["windows"] == 1
