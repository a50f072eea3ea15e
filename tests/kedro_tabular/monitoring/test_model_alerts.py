"""Alerts of many models: one message about what has changed, to a real HTTP endpoint."""

import pytest
from kedro.io import DatasetError
from kedro_tabular.monitoring.model_alerts import ModelAlert, decide_model_alerts, group_alerts
from kedro_tabular.monitoring.notification import AlertsDataset

from ...webhook import Endpoint

MODELS = [f"store_{number:02d}" for number in range(12)]


def verdict(*findings, day=1, windows=1):
    """A verdict on a window; each finding is of a check and a subject. A rule wants so many windows in a row."""
    found = [{"check": check, "subject": subject, "says": f"{subject} shifted"} for check, subject in findings]
    assessed = [{"check": "drift", "subject": name} for name in ("temp", "size")]
    assessed.append({"check": "quality", "subject": "all rows"})
    window = {"since": f"2025-01-0{day} 00:00:00", "until": f"2025-01-0{day + 1} 00:00:00"}
    rules = dict.fromkeys(["drift", "quality"], windows)
    return {"findings": found, "window": window, "rules": rules, "versions": {"1": {"findings": assessed}}}


def everywhere(*findings, **options):
    return {model: verdict(*findings, **options) for model in MODELS}


@pytest.fixture
def endpoint(monkeypatch):
    endpoint = Endpoint()
    monkeypatch.setenv("TEST_ALERT_URLS", endpoint.url)
    yield endpoint
    endpoint.close()


@pytest.fixture
def monitor(tmp_path, endpoint):
    """Sends what has changed since the last call; returns the messages of this call."""
    dataset = AlertsDataset(str(tmp_path / "models.json"), "TEST_ALERT_URLS", False)

    def monitor(monitored, models=MODELS):
        before = len(endpoint.received)
        dataset.save(decide_model_alerts(monitored, dataset.load(), models, "shop", "data/models.html"))
        return endpoint.received[before:]

    monitor.dataset = dataset
    return monitor


def test_a_change_of_several_models_is_one_line_and_is_sent_once(monitor):
    monitored = everywhere(("drift", "temp"))
    monitored["store_03"] = verdict(("drift", "temp"), ("quality", "all rows"), ("drift", "size"))
    monitored["store_11"] = verdict()
    [message] = monitor(monitored)
    assert (message["title"], message["type"]) == ("shop: 13 new in 11 models", "warning")
    assert message["message"].splitlines() == [
        "2025-01-01 00:00 to 2025-01-02 00:00 (UTC)",
        "",
        "New alerts:",
        "- drift of temp in 11 of 12 models: " + ", ".join(MODELS[:8]) + " and 3 more",
        "store_03:",
        "- quality of all rows: all rows shifted",
        "- drift of size: size shifted",
        "",
        "Details: data/models.html",
    ]
    assert monitor(monitored) == []
    assert all(alert["told"] for alert in monitor.dataset.load().values())


def test_alerts_that_have_ended_are_sent_with_those_that_go_on(monitor):
    monitor(everywhere(("drift", "temp")))
    after = everywhere(("drift", "temp"), day=2) | {model: verdict(day=2) for model in MODELS[:2]}
    [message] = monitor(after)
    assert message["title"] == "shop: 2 recovered in 2 models, 10 ongoing"
    assert "Recovered:\n- drift of temp in 2 of 12 models: store_00, store_01\n" in message["message"]
    assert monitor(after) == []
    [message] = monitor(everywhere(day=3))
    assert (message["title"], message["type"]) == ("shop: 10 recovered in 10 models", "success")
    assert monitor.dataset.load() == {}


def test_models_that_are_not_monitored_now_keep_their_alerts(monitor):
    monitor(everywhere(("drift", "temp")))
    [message] = monitor({"store_05": verdict(("drift", "temp"), ("drift", "size"), day=2)})
    assert message["title"] == "shop: 1 new in 1 model, 12 ongoing"
    assert "store_05:\n- drift of size: size shifted" in message["message"]
    assert len(monitor.dataset.load()) == 13


def test_alerts_of_a_model_that_was_removed_are_dropped(monitor):
    monitor(everywhere(("drift", "temp")))
    assert monitor({model: verdict(("drift", "temp"), day=2) for model in MODELS[:3]}, MODELS[:3]) == []
    assert sorted(monitor.dataset.load()) == [f"{model}/drift temp" for model in MODELS[:3]]


def test_what_can_not_be_delivered_is_sent_the_next_time(monitor, endpoint):
    endpoint.status = 500
    with pytest.raises(DatasetError, match="could not be delivered"):
        monitor(everywhere(("drift", "temp")))
    assert not any(alert["told"] for alert in monitor.dataset.load().values())
    endpoint.status = 200
    [message] = monitor(everywhere(("drift", "temp")))
    assert message["title"] == "shop: 12 new in 12 models"
    endpoint.status = 500
    with pytest.raises(DatasetError):
        monitor(everywhere(day=2))
    endpoint.status = 200
    [message] = monitor(everywhere(day=2))
    assert message["title"] == "shop: 12 recovered in 12 models"


def test_each_model_waits_for_as_many_windows_as_its_rule_says(monitor):
    assert monitor({"store_01": verdict(("drift", "temp"), windows=2)}) == []
    [message] = monitor(everywhere(("drift", "temp"), day=2, windows=2))
    assert message["title"] == "shop: 1 new in 1 model"
    assert "store_01:\n- drift of temp" in message["message"]


def test_a_message_is_not_longer_than_people_read(monitor):
    monitored = {model: verdict(*(("drift", f"{model} column {n}") for n in range(5))) for model in MODELS}
    [message] = monitor(monitored)
    assert message["title"] == "shop: 60 new in 12 models"
    assert "- and 40 more" in message["message"]
    assert message["message"].count("\n- ") == 21


def test_what_clients_wrote_is_no_markup_in_a_message(monitor):
    hostile = "[gift](https://x.example) @all <b>"
    for message in monitor(everywhere(("drift", hostile))):
        assert not set("[]<>@") & set(message["message"])


def test_two_versions_of_a_model_are_one_model():
    alerts = [ModelAlert("a", "drift", "temp", "one"), ModelAlert("a", "drift", "temp", "two")]
    assert group_alerts(alerts) == ([], {"a": ["drift of temp: one"]})
