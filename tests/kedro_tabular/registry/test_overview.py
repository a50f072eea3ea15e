"""What is deployed of many models, those that need a person first."""

import mlflow
import pytest
from kedro_tabular.registry.overview import ALERTING, FINE, NEVER_TRAINED, NO_CHAMPION, REFUSED, WAITING, read_overview
from mlflow.tracking import MlflowClient

from ...conftest import fit_packaged
from ..registering import empty_store, make_registry, verdict
from ..registering import register as register_version


@pytest.fixture
def register(tmp_path):
    """Registers versions of a model with these verdicts, and moves aliases."""
    (tmp_path / "mlflow.db").write_bytes(empty_store())
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    client = MlflowClient()

    def register(name, verdicts, pooled=None, **aliases):
        client.create_registered_model(name)
        for number, said in enumerate(verdicts, start=1):
            run = client.create_run("0")
            client.log_metric(run.info.run_id, "roc_auc", 0.6 + number / 100)
            client.log_metric(run.info.run_id, "dummy_roc_auc", 0.5)
            tags = {"gate": said, "data.table": f"md5-{number}"}
            tags |= {"gate.failed": "trivial model"} if said == "refused" else {}
            tags |= {} if pooled is None else {"gate.pooled": pooled}
            client.create_model_version(name, str(tmp_path), run.info.run_id, tags=tags)
        for alias, version in aliases.items():
            client.set_registered_model_alias(name, alias, str(version))

    yield register
    mlflow.set_tracking_uri(None)


def test_models_that_need_a_person_come_first(register):
    register("fine", ["passed", "passed"], champion=2)
    register("refused", ["passed", "refused"], champion=1)
    register("waits", ["passed", "passed"], champion=1, challenger=2)
    register("without", ["refused"])
    register("of another project", ["passed"], champion=1)
    found = read_overview(["fine", "refused", "untrained", "waits", "without"], "roc_auc")
    expected = [
        ("without", NO_CHAMPION),
        ("untrained", NEVER_TRAINED),
        ("waits", WAITING),
        ("refused", REFUSED),
        ("fine", FINE),
    ]
    assert [(one.model, one.todo) for one in found] == expected
    without, untrained, waits, refused, fine = found
    assert (without.champion, without.verdict, without.metric) == ("", "refused: trivial model", None)
    assert (untrained.newest, untrained.age) == ("", None)
    assert (waits.champion, waits.challenger, waits.newest) == ("1", "2", "2")
    assert (refused.champion, refused.newest, refused.verdict) == ("1", "2", "refused: trivial model")
    assert (fine.champion, fine.metric, fine.baseline, fine.table) == ("2", pytest.approx(0.62), 0.5, "md5-2")
    assert fine.age == pytest.approx(0, abs=0.01)


def test_an_older_champion_after_a_rollback_is_shown_with_its_own_metric(register):
    register("one", ["passed", "passed", "passed"], champion=1)
    (summary,) = read_overview(["one"], "roc_auc")
    assert (summary.champion, summary.metric, summary.newest, summary.todo) == ("1", pytest.approx(0.61), "3", FINE)


def monitoring(verdict, n_rows):
    """What the last monitoring of a week has found."""
    window = {"since": "2025-01-01 00:00:00", "until": "2025-01-08 00:00:00"}
    return {"verdict": verdict, "window": window, "timezone": "UTC", "rows": {"2": n_rows, "1": 7}, "versions": {}}


def test_a_model_whose_last_monitoring_has_an_alert_needs_a_person(register):
    for name in ("alerts", "waits and alerts", "quiet"):
        register(name, ["passed", "passed"], champion=2, **({"challenger": 1} if "waits" in name else {}))
    register("waits", ["passed", "passed"], champion=1, challenger=2)
    register("without", ["refused"])
    monitored = {name: monitoring("alert", 63) for name in ("alerts", "waits and alerts", "without")}
    names = ["alerts", "quiet", "waits", "waits and alerts", "without"]
    found = read_overview(names, "roc_auc", monitored | {"quiet": monitoring("ok", 0)})
    assert [(one.model, one.todo) for one in found] == [
        ("without", NO_CHAMPION),
        ("alerts", ALERTING),
        ("waits and alerts", ALERTING),
        ("waits", WAITING),
        ("quiet", FINE),
    ]
    _, alerts, _, waits, quiet = found
    assert (alerts.monitoring, alerts.rows_a_day) == ("alert", 10)
    assert (quiet.monitoring, quiet.rows_a_day) == ("ok", 1)
    assert (waits.monitoring, waits.rows_a_day) == ("", None)
    assert alerts.as_dict()["rows_a_day"] == 10


def test_the_champion_says_how_it_compares_with_the_model_of_all_rows(register):
    register("segment", ["passed"], pooled="worse", champion=1)
    register("earlier", ["passed"], champion=1)
    assert [one.pooled for one in read_overview(["segment", "earlier"], "roc_auc")] == ["", "worse"]


def test_the_comparison_with_the_model_of_all_rows_is_recorded_with_the_version(tmp_path):
    model = fit_packaged("binary")
    dataset = make_registry(tmp_path, model)
    register_version(dataset, model, verdict() | {"pooled": {"version": "3", "found": "better", "metrics": {}}})
    register_version(dataset, model, verdict("1") | {"pooled": None})
    tags = [MlflowClient().get_model_version("small", number).tags for number in ("1", "2")]
    assert [one.get("gate.pooled") for one in tags] == ["better", None]
    (summary,) = read_overview(["small"], "roc_auc")
    assert (summary.champion, summary.pooled) == ("2", "")
    mlflow.set_tracking_uri(None)
