"""Windows of scored rows: how they are selected, assessed and reported, and which alerts are sent."""

import datetime as dt
import json
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kedro_tabular.contract.arrow_columns import parse_outcomes
from kedro_tabular.contract.contract import Contract
from kedro_tabular.evaluation.metrics import LabelledScores
from kedro_tabular.monitoring.alerts import decide_alerts
from kedro_tabular.monitoring.assessment import WindowRows, assess, observe
from kedro_tabular.monitoring.estimation import measure_quality
from kedro_tabular.monitoring.profile import Profile
from kedro_tabular.monitoring.profiling import profile_reference
from kedro_tabular.monitoring.report import write_report
from kedro_tabular.monitoring.scored_rows import RowSelection, ScoredFile, WindowSummary
from kedro_tabular.monitoring.window import Window, resolve_window
from kedro_tabular.parameters import ParameterError

from ...conftest import fit_packaged, make_contract, make_table

PROFILE = {
    "bins": 10,
    "categories": 10,
    "sample_rows": 400,
    "metric": "roc_auc",
    "slices": ["colour"],
    "slice_rows": 50,
}
RULES = [{"check": check, "windows": 1} for check in ("drift", "reason", "quality", "estimated_quality")]
ALERTS = {"rules": RULES, "urls_variable": "UNUSED", "dry_run": False}
SPAN = ("7d", "2020-01-01", "2030-01-01", None)


@pytest.fixture
def monitoring(parameters):
    return parameters["monitoring"] | {"draws": 200}


def make_profile(model, answer="binary", n_rows=1500, **changes):
    task = "regression" if answer == "number" else "classification"
    return profile_reference(
        make_table(n_rows, answer, seed=9),
        model.preprocessor,
        model.estimator,
        model.guard,
        model.fallback,
        make_contract(task),
        ["hour", "weekday"],
        10,
        PROFILE | ({"metric": "mae"} if answer == "number" else {}) | changes,
        0,
    )


@pytest.fixture(scope="module")
def model():
    return fit_packaged("binary")


@pytest.fixture(scope="module")
def profiles(model):
    return {"1": Profile.model_validate(make_profile(model))}


def score(model, table, path, version="1", **columns):
    predictions = model.predict(table)
    predictions["reasons"] = predictions["reasons"].map(list)
    scored = pd.concat([table, predictions], axis=1).assign(model_version=version, **columns)
    scored.to_parquet(path)
    return scored


def monitor(path, profiles, monitoring, span=SPAN, task="classification", **alerts):
    file = ScoredFile(path, "when", "model_version", "answer")
    contract = make_contract(task)
    observed = observe(file, profiles.get, contract, *span, monitoring)
    result = assess(observed, monitoring, ALERTS | alerts, None, 0)[0]
    json.dumps(result, allow_nan=False)
    report = write_report(result, contract, monitoring)
    assert report.startswith("<!doctype html>")
    assert report.endswith("</html>")
    return result


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (("7d", None, None, "2013-11"), ("2013-11-01", "2013-12-01")),
        (("7d", "2013-11-05", "2013-11-07 12:00", None), ("2013-11-05", "2013-11-07 12:00")),
        (("36h", None, "2013-11-07", None), ("2013-11-05 12:00", "2013-11-07")),
        (("7d", "2013-11-05T00:00+02:00", "2013-11-07", None), ("2013-11-04 22:00", "2013-11-07")),
    ],
)
def test_a_window_is_a_month_a_span_or_a_duration(params, expected):
    assert resolve_window(*params) == Window(*(pd.Timestamp(text).to_pydatetime() for text in expected))


def test_a_window_is_in_the_time_zone_of_the_contract():
    zone = ZoneInfo("America/New_York")
    window = resolve_window("7d", "2013-11-03T04:00Z", "2013-11-04", None, zone)  # its daylight saving ends on that day
    assert window == Window(dt.datetime(2013, 11, 3), dt.datetime(2013, 11, 4), zone)
    assert window.in_utc() == (dt.datetime(2013, 11, 3, 4), dt.datetime(2013, 11, 4, 5))
    assert resolve_window("7d", None, None, "2013-11", zone).zone is zone
    now = dt.datetime.now(zone).replace(tzinfo=None)
    assert abs(resolve_window("2d", None, None, None, zone).until - now) < dt.timedelta(minutes=1)


def test_scored_rows_with_a_time_zone_are_read_in_that_of_the_contract(tmp_path, model):
    table = make_table(40)
    score(model, table, tmp_path / "naive.parquet")
    scored = pd.read_parquet(tmp_path / "naive.parquet")
    scored["when"] = scored["when"].dt.tz_localize("Europe/Berlin").dt.tz_convert("UTC")
    scored.to_parquet(tmp_path / "aware.parquet")
    contract, zone = Contract.from_parameters(make_contract()), ZoneInfo("Europe/Berlin")
    window = Window(dt.datetime(2020, 1, 2), dt.datetime(2020, 1, 3), zone)
    naive, aware = (
        ScoredFile(tmp_path / f"{name}.parquet", "when", "model_version", "answer") for name in ("naive", "aware")
    )
    assert aware.summarize("small", window) == naive.summarize("small", window)
    selection = RowSelection("small", *naive.summarize("small", window).rows, window, 1.0)
    rows, expected = (file.read(selection, contract, ["0", "1"]) for file in (aware, naive))
    assert len(rows) == 4
    assert rows.cast(expected.schema).equals(expected)


def test_a_window_ends_now_by_default():
    window = resolve_window("2d", None, None, None)
    assert window.until - window.since == dt.timedelta(days=2)
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    assert abs(window.until - now) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (("7d", None, None, "november"), "month: 'november'"),
        (("7d", "2013-11-01", None, "2013-11"), "neither since nor until"),
        (("soon", None, None, None), "window: 'soon'"),
        (("-1d", None, None, None), "window: '-1d'"),
        (("7d", "yesterday-ish", None, None), "since: "),
        (("7d", "2013-11-07", "2013-11-01", None), "is empty"),
    ],
)
def test_a_wrong_window_is_refused_with_its_parameter(params, message):
    with pytest.raises(ParameterError, match=message):
        resolve_window(*params)


def test_rows_like_the_reference_raise_no_alert_and_drifted_rows_do(tmp_path, model, profiles, monitoring):
    table = make_table(1000, seed=21)
    score(model, table, tmp_path / "a.parquet")
    same = monitor(tmp_path / "a.parquet", profiles, monitoring)
    assert (same["verdict"], same["findings"], same["problems"]) == ("ok", [], [])
    score(model, table.assign(weight=table["weight"] + 1), tmp_path / "b.parquet")
    drifted = monitor(tmp_path / "b.parquet", profiles, monitoring)
    assert drifted["verdict"] == "alert"
    assert drifted["findings"][0]["subject"] == "weight"
    version = drifted["versions"]["1"]
    assert version["rows"] == version["outcomes"] == 1000
    assert version["measured"]["metric"] == pytest.approx(version["metrics"]["roc_auc"])
    assert sum(period["rows"] for period in version["over_time"]) == 1000


def test_without_outcomes_the_quality_is_estimated(tmp_path, model, profiles, monitoring):
    table = make_table(1000, seed=21)
    ambiguous = table.assign(size=57.0, colour="blue").drop(columns="answer")  # near the border between the classes
    score(model, ambiguous, tmp_path / "a.parquet")
    result = monitor(tmp_path / "a.parquet", profiles, monitoring, rules=[{"check": "estimated_quality", "windows": 1}])
    assert result["verdict"] == "alert"
    assert result["versions"]["1"]["measured"] is None
    assert result["findings"][0]["check"] == "estimated_quality"


def test_an_empty_window_has_no_verdict_and_reports_when_there_are_rows(tmp_path, model, profiles, monitoring):
    score(model, make_table(300), tmp_path / "a.parquet")
    result = monitor(tmp_path / "a.parquet", profiles, monitoring, ("7d", None, None, "2031-05"))
    assert result["verdict"] == "none"
    assert "no predictions of small from 2031-05-01" in result["problems"][0]
    assert "2020-01-01 to 2020-03" in result["problems"][0]
    rules = [{"check": "silence", "above": 0.9, "windows": 1}]
    silent = monitor(tmp_path / "a.parquet", profiles, monitoring, ("7d", None, None, "2031-05"), rules=rules)
    assert silent["verdict"] == "none"  # it has not begun
    silent = monitor(tmp_path / "a.parquet", profiles, monitoring, ("7d", None, None, "2020-05"), rules=rules)
    assert silent["findings"][0]["says"] == "no rows, 124 in as much time until 2020-03-15 18:00"


def test_versions_are_assessed_separately(tmp_path, model, profiles, monitoring):
    table = make_table(1000, seed=21)
    first, second = table.iloc[:500], table.iloc[500:].assign(weight=lambda rows: rows["weight"] + 2)
    files = [tmp_path / f"{name}.parquet" for name in ("1", "2", "3", "both")]
    parts = [
        score(model, first, files[0]),
        score(model, second, files[1], "2"),
        score(model, first.iloc[:10], files[2], "3"),
    ]
    pd.concat([*parts, score(model, second, files[1], "4")]).to_parquet(files[3])
    result = monitor(files[3], profiles | {"2": profiles["1"]}, monitoring)
    assert list(result["versions"]) == ["2", "1"]
    assert {finding["version"] for finding in result["findings"]} == {"2"}
    assert "version 4 has no reference profile" in result["problems"][0]
    assert "version 3 scored 10 rows only" in result["problems"][1]


def test_columns_that_the_profile_lacks_are_ignored_and_missing_columns_are_reported(
    tmp_path, model, profiles, monitoring
):
    table = make_table(500, seed=21)
    scored = score(model, table, tmp_path / "a.parquet", prediction_time="x", colour_of_sky="grey")
    assert monitor(tmp_path / "a.parquet", profiles, monitoring)["verdict"] == "ok"
    scored.drop(columns=["weight", "size"]).to_parquet(tmp_path / "b.parquet")
    result = monitor(tmp_path / "b.parquet", profiles, monitoring)
    assert result["verdict"] == "none"
    problem = "version 1 can't be assessed: b.parquet lacks columns that monitoring needs: size, weight"
    assert result["problems"] == [problem]


def test_the_quality_is_that_of_the_models_decisions(tmp_path, monitoring):
    model = fit_packaged("binary")
    model.threshold = 0.1
    parts = (model.preprocessor, model.estimator, model.guard, model.fallback)
    settings = PROFILE | {"metric": "accuracy"}
    arguments = (make_table(1500, seed=9), *parts, make_contract(), ["hour"], 10, settings, 0)
    profile = Profile.model_validate(profile_reference(*arguments, {"threshold": 0.1}))
    assert profile.quality[0].metric < profile_reference(*arguments)["quality"][0]["metric"] - 0.03
    scored = score(model, make_table(1000, seed=21), tmp_path / "a.parquet")
    rules = [{"check": check, "windows": 1} for check in ("output_drift", "quality")]
    result = monitor(tmp_path / "a.parquet", {"1": profile}, monitoring, rules=rules)
    assert result["verdict"] == "ok"
    version = result["versions"]["1"]
    assert version["metrics"]["accuracy"] == (scored["prediction"] == scored["answer"]).mean()
    assert version["estimated"]["metric"] == pytest.approx(version["measured"]["metric"], abs=0.05)
    (column,) = [column for column in version["columns"] if column["name"] == "prediction"]
    assert column["live"][column["labels"].index("1")] == (scored["prediction"] == 1).mean()


@pytest.mark.parametrize("answer", ["text", "number"])
def test_other_tasks_are_monitored_too(tmp_path, monitoring, answer):
    model = fit_packaged(answer)
    profiles = {"1": Profile.model_validate(make_profile(model, answer))}
    task = "regression" if answer == "number" else "classification"
    table = make_table(1000, answer, seed=21)
    score(model, table, tmp_path / "a.parquet")
    assert monitor(tmp_path / "a.parquet", profiles, monitoring, task=task)["verdict"] == "ok"
    shuffled = table["answer"].sample(frac=1, random_state=0).to_numpy()
    score(model, table.assign(answer=shuffled), tmp_path / "b.parquet")
    result = monitor(tmp_path / "b.parquet", profiles, monitoring, task=task)
    assert result["findings"][0]["check"] == "quality"
    assert (result["versions"]["1"]["estimated"] is None) == (answer == "number")


def test_a_large_window_is_sampled(tmp_path, model, profiles, monitoring):
    score(model, make_table(3000, seed=21), tmp_path / "a.parquet")
    result = monitor(tmp_path / "a.parquet", profiles, monitoring | {"most_rows": 1000})
    assert result["versions"]["1"]["rows"] == 3000
    assert 900 < result["versions"]["1"]["looked_at"] < 1100


def test_a_profile_is_json_and_the_same_each_time(model):
    first, second = make_profile(model), make_profile(model)
    assert json.dumps(first) == json.dumps(second)
    profile = Profile.model_validate(json.loads(json.dumps(first)))
    assert profile.contract == Contract.from_parameters(make_contract())
    for column in profile.watched:
        counts = profile.counts(column.name)
        assert counts.shape[1] == column.n_bins == len(column.labels)
        assert counts.sum() == 1500
        assert len(counts) <= 60


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "mae"}, "profile.metric in conf/: classification has no metric 'mae'"),
        ({"slices": ["size"]}, "profile.slices in conf/: size is not a category"),
    ],
)
def test_wrong_settings_of_the_profile_are_refused(model, changes, message):
    with pytest.raises(ParameterError, match=message):
        make_profile(model, **changes)


def verdict(*subjects, window=1, check="drift"):
    findings = [{"check": check, "subject": name, "says": f"{name} shifted"} for name in subjects]
    assessed = [{"check": check, "subject": name} for name in ("size", "weight")]
    span = {"since": f"2020-01-0{window}", "until": f"2020-01-0{window + 1}"}
    versions = {"1": {"findings": assessed}}
    return {"verdict": "alert" if subjects else "ok", "findings": findings, "window": span, "versions": versions}


def deliver(decision):
    """The state after the message is delivered, as `AlertsDataset` stores it."""
    state = decision["state"]
    for key in decision["keys"]:
        if state[key]["raised"]:
            state[key]["told"] = True
        else:
            del state[key]
    return state


def decide(monitoring, state, windows=1, check="drift"):
    alerts = {"rules": [{"check": check, "above": 0.5, "windows": windows}], "urls_variable": "X", "dry_run": False}
    return decide_alerts(monitoring, state, "", make_contract(), alerts)


def test_an_alert_is_sent_once_and_then_its_recovery():
    first = decide(verdict("size", window=1), {})
    assert "size shifted" in first["message"]["body"]
    assert "kedro run --pipeline=monitoring" in first["message"]["body"]
    state = deliver(first)
    again = decide(verdict("size", window=2), state)
    assert again["message"] is None
    more = decide(verdict("size", "weight", window=3), deliver(again))
    assert more["message"]["title"] == "small: 1 new, 1 ongoing"
    assert "size shifted" not in more["message"]["body"]
    recovered = decide(verdict("weight", window=4), deliver(more))
    assert recovered["message"]["title"] == "small: 1 recovered, 1 ongoing"
    assert "Recovered" in recovered["message"]["body"]
    state = deliver(recovered)
    assert list(state) == ["drift weight"]
    assert decide(verdict("size", "weight", window=5), state)["keys"] == ["drift size"]


def test_the_stored_state_of_earlier_versions_is_understood():
    stored = {"raised": True, "windows": 1, "counted": "2020-01-02", "until": "2020-01-02", "told": True}
    state = {"drift size": stored | {"check": "drift", "says": "size: PSI 0.300"}}
    decision = decide(verdict(window=2), state)
    assert decision["keys"] == ["drift size"]
    assert "- size: PSI 0.300" in decision["message"]["body"]
    assert decide(verdict("size", window=2), state)["message"] is None


def test_an_alert_whose_rule_was_removed_is_dropped():
    unsent = decide(verdict("size", check="domain"), {}, check="domain", windows=2)["state"]
    assert decide(verdict(window=2), unsent) == {"state": {}, "message": None, "keys": []}


def test_a_finding_whose_rule_was_removed_since_is_ignored():
    """As when only the last node runs again."""
    assert decide(verdict("size", check="domain"), {}) == {"state": {}, "message": None, "keys": []}


@pytest.mark.parametrize("is_still_found", [True, False])
def test_an_alert_that_was_sent_is_told_once_as_no_longer_checked_if_its_rule_was_removed(is_still_found):
    state = deliver(decide(verdict("size", check="domain"), {}, check="domain"))
    after = verdict(*["size"] * is_still_found, window=2, check="domain")
    decision = decide(after, state)
    assert decision["message"]["title"] == "small: 1 no longer checked"
    assert "No longer checked:\n- size: size shifted" in decision["message"]["body"]
    assert decide(after, decision["state"])["message"] == decision["message"]  # was not delivered
    assert deliver(decision) == {}


def test_an_alert_of_a_column_that_the_versions_do_not_have_any_more_is_no_longer_checked():
    state = deliver(decide(verdict("size", "weight"), {}))
    without = verdict("weight", window=2) | {"versions": {"2": {"findings": [{"check": "drift", "subject": "weight"}]}}}
    decision = decide(without, state)
    assert decision["message"]["title"] == "small: 1 no longer checked, 1 ongoing"
    assert list(deliver(decision)) == ["drift weight"]


def test_alerts_about_the_service_and_about_reasons_recover():
    service = {"check": "error_share", "subject": "the service", "says": "7 requests failed"}
    none = {"versions": {}, "service_findings": [service]}
    state = deliver(decide(verdict() | none | {"findings": [service]}, {}, check="error_share"))
    decision = decide(verdict(window=2) | none, state, check="error_share")
    assert (decision["message"]["title"], decision["message"]["type"]) == ("small: 1 recovered", "success")
    state = deliver(decide(verdict("missing:size", check="reason"), {}, check="reason"))
    without = verdict(window=2) | {"versions": {"1": {"findings": []}}}  # neither the window nor the reference has any
    assert decide(without, state, check="reason")["message"]["title"] == "small: 1 recovered"


def test_a_message_has_no_links_mentions_or_control_characters_of_what_a_client_wrote():
    hostile = "<script>x</script> [gift](https://x.example) @everyone <!channel> `a` \x1b[31m\n\u202eb " + "z" * 20_000
    decision = decide(verdict(hostile), {})
    body = decision["message"]["body"]
    assert decision["message"]["type"] == "warning"
    assert not set("<>@[]`\x1b\u202e") & set(body)
    assert "https://" not in body
    assert max(map(len, body.splitlines())) < 400
    [line] = [line for line in body.splitlines() if "gift" in line]
    assert "everyone" in line


def test_an_alert_waits_for_as_many_windows_in_a_row_as_its_rule_says():
    state = {}
    for window, subjects, expected in (
        (1, ["size"], None),
        (1, ["size"], None),  # the same window counts once
        (2, [], None),
        (3, ["size"], None),
        (4, ["size"], "small: 1 new"),
    ):
        decision = decide(verdict(*subjects, window=window), state, windows=2)
        assert (decision["message"] and decision["message"]["title"]) == expected
        state = deliver(decision)


def test_an_alert_that_was_not_delivered_is_sent_again():
    first = decide(verdict("size"), {})
    assert decide(verdict("size", window=2), first["state"])["message"]["title"] == "small: 1 new"


def test_a_window_without_a_verdict_changes_nothing():
    state = deliver(decide(verdict("size"), {}))
    unknown = verdict() | {"verdict": "none", "versions": {}}
    assert decide(unknown, state) == {"state": state, "message": None, "keys": []}


def test_an_alert_that_is_not_assessed_does_not_recover():
    state = deliver(decide(verdict("size", check="quality"), {}, check="quality"))
    not_assessed = verdict(window=2) | {"versions": {"1": {"findings": [{"check": "quality", "subject": "weight"}]}}}
    decision = decide(not_assessed, state, check="quality")
    assert decision["message"] is None
    assert list(decision["state"]) == ["quality size"]
    assert decide(verdict(window=3, check="quality"), decision["state"], check="quality")["keys"] == ["quality size"]


def test_an_earlier_window_sends_nothing():
    state = deliver(decide(verdict("size", window=5), {}))
    assert decide(verdict(window=3), state) == {"state": state, "message": None, "keys": []}


def test_windows_that_overlap_count_once():
    first = decide(verdict("size", window=1), {}, windows=2)
    overlapping = verdict("size") | {"window": {"since": "2020-01-01 12:00", "until": "2020-01-02 12:00"}}
    second = decide(overlapping, first["state"], windows=2)
    assert (second["message"], second["state"]["drift size"]["windows"]) == (None, 1)
    assert decide(verdict("size", window=3), second["state"], windows=2)["keys"] == ["drift size"]


def test_a_service_that_only_returns_errors_raises_an_alert(monitoring):
    rules = [{"check": "error_share", "above": 0, "windows": 1}]
    window = Window(dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 8))
    summary = WindowSummary({}, None, None, {"timeout": 7, "invalid_body": 3}, 0)
    result = assess(WindowRows(window, summary, {}, []), monitoring, ALERTS | {"rules": rules}, "alert", 0)[0]
    assert (result["verdict"], result["fails"]) == ("alert", True)
    assert result["findings"][0]["says"] == "7 requests failed, 0 rows were predicted"
    json.dumps(result, allow_nan=False)
    assert "7 requests failed" in write_report(result, make_contract(), monitoring)
    refused = summary._replace(errors={"invalid_body": 3}, rows={"1": 5})
    result = assess(WindowRows(window, refused, {}, []), monitoring, ALERTS | {"rules": rules}, None, 0)[0]
    assert result["findings"] == []


def observe_traffic(monitoring, window, **summary):
    """What `assess` and the report say of a window whose store has this summary, with one rule."""
    empty = WindowSummary({}, None, None, {}, 0)._replace(**summary)
    store = SimpleNamespace(summarize=lambda model, span: empty)
    observed = observe(store, {}.get, make_contract(), *window, None, monitoring)
    rules = [{"check": "silence", "above": 0.9, "windows": 1}]
    result = assess(observed, monitoring, ALERTS | {"rules": rules}, "alert", 0)[0]
    json.dumps(result, allow_nan=False)
    assert ("does the service run" in write_report(result, make_contract(), monitoring)) == bool(result["findings"])
    return result


WEEK = ("7d", "2020-01-08", "2020-01-15")
BEFORE = {"last_before": dt.datetime(2020, 1, 7, 23, 50), "rows_before": 5000}


def test_a_window_without_rows_where_there_were_some_is_an_alert_until_there_are_rows_again(monitoring):
    silent = observe_traffic(monitoring, WEEK, **BEFORE)
    assert (silent["verdict"], silent["fails"]) == ("alert", True)
    assert silent["findings"][0]["says"] == "no rows, 5,000 in as much time until 2020-01-07 23:50"
    state = deliver(decide(silent, {}, check="silence"))
    later = ("7d", "2020-01-15", "2020-01-22")
    still = decide(observe_traffic(monitoring, later, **BEFORE), state, check="silence")
    assert (still["message"], list(still["state"])) == (None, ["silence the service"])
    few = {"last_before": BEFORE["last_before"], "rows_before": 20, "rows": {"1": 3}}  # too few for a verdict
    again = decide(observe_traffic(monitoring, later, **few), still["state"], check="silence")
    assert again["message"]["title"] == "small: 1 recovered"


def test_a_sharp_drop_of_traffic_is_an_alert(monitoring):
    drop = observe_traffic(monitoring, WEEK, rows={"1": 100}, **BEFORE)
    assert (drop["verdict"], drop["findings"][0]["value"]) == ("alert", 0.98)
    assert observe_traffic(monitoring, WEEK, rows={"1": 3000}, **BEFORE)["findings"] == []
    assert observe_traffic(monitoring, WEEK, rows={"1": 1}, **BEFORE | {"rows_before": 12})["findings"] == []


def test_a_log_that_never_had_rows_is_no_alert_but_says_so(monitoring):
    result = observe_traffic(monitoring, WEEK)
    assert (result["verdict"], result["fails"]) == ("none", False)
    assert "nor at any other time" in result["problems"][0]


def test_a_window_that_has_not_begun_is_no_alert(monitoring):
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    before = {"last_before": now, "rows_before": 5000}
    future = ("7d", str(now + dt.timedelta(days=1)), str(now + dt.timedelta(days=8)))
    assert observe_traffic(monitoring, future, **before)["verdict"] == "none"
    begun = ("7d", str(now - dt.timedelta(seconds=9)), str(now + dt.timedelta(days=7)))
    assert observe_traffic(monitoring, begun, **before | {"rows_before": 50})["verdict"] == "none"


@pytest.mark.parametrize(
    ("changes", "rules", "message"),
    [
        ({}, [{"check": "silence", "windows": 1}], "silence needs a threshold"),
        ({}, [{"check": "silence", "above": 1, "windows": 1}], "above must be less"),
        ({"most_rows": 1000, "min_rows": 2000}, RULES, "most_rows 1000 is below min_rows 2000"),
        ({}, [*RULES, RULES[0]], "more than one for a check"),
        ({}, [{"check": "error_share", "windows": 1}], "error_share needs a threshold"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(monitoring, changes, rules, message):
    window = Window(dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 8))
    observed = WindowRows(window, WindowSummary({}, None, None, {}, 0), {}, [])
    with pytest.raises(ParameterError, match=message):
        assess(observed, monitoring | changes, ALERTS | {"rules": rules}, None, 0)


def test_missing_values_and_unusual_types_in_a_file_are_accepted(tmp_path, model, profiles, monitoring):
    table = make_table(600, seed=21)
    scored = score(model, table, tmp_path / "a.parquet", latency_ms=1.0)
    scored["latency_ms"] = scored["latency_ms"].where(scored.index > 3)
    scored["model_version"] = scored["model_version"].where(scored.index > 5)
    scored["when"] = scored["when"].astype("datetime64[ns]") + pd.Timedelta(1, "ns")
    scored.loc[7, "when"] = pd.NaT
    scored["answer"] = scored["answer"].astype(float)
    scored.to_parquet(tmp_path / "a.parquet")
    result = monitor(tmp_path / "a.parquet", profiles, monitoring)
    assert result["verdict"] == "ok"
    assert result["versions"]["1"]["outcomes"] == result["versions"]["1"]["rows"] == 593
    assert result["versions"]["1"]["service"]["latency_p99_ms"] == 1


def test_outcomes_match_the_classes_however_numbers_and_booleans_are_written():
    values = pa.array(["1", "1.0", "true", '"1"', '"True"', "0", "false", "null", '"x"'])
    assert parse_outcomes(values, json.loads, ["0", "1"]).to_pylist() == [*["1"] * 5, "0", "0", None, "x"]
    assert parse_outcomes(values, json.loads, ["0.0", "1.0"]).to_pylist()[:6] == [*["1.0"] * 5, "0.0"]
    assert parse_outcomes(values, json.loads, ["False", "True"]).to_pylist()[:6] == [*["True"] * 5, "False"]
    huge = pa.array(["1" + "0" * 400, "2.5", '"x"'])
    assert parse_outcomes(huge, json.loads, None).to_pylist() == [None, 2.5, None]


def test_the_standard_error_of_a_rare_class_is_right():
    rng = np.random.default_rng(0)
    scores = rng.random((50_000, 1))
    y_true = np.where(np.arange(50_000) < 30, "1", "0").astype(object)
    scored = LabelledScores(y_true, np.hstack([1 - scores, scores]), np.array(["0", "1"], dtype=object))
    assert 0.03 < measure_quality(scored, "roc_auc", 10, 0).error < 0.09  # 0.29 / sqrt(30) is 0.053


def test_a_class_that_is_only_in_the_calibration_rows_is_ignored(model):
    table = make_table(1500, seed=9).astype({"answer": object})
    table.loc[:2, "answer"] = 2
    parts = (model.preprocessor, model.estimator, model.guard, model.fallback)
    profile = profile_reference(table, *parts, make_contract(), ["hour"], 10, PROFILE | {"metric": "log_loss"}, 0)
    assert profile["quality"][0]["rows"] == 1497


def test_calibration_rows_without_a_defined_metric_are_refused(model):
    table = make_table(500, seed=9).assign(answer=1)
    parts = (model.preprocessor, model.estimator, model.guard, model.fallback)
    with pytest.raises(ParameterError, match="roc_auc is not defined for the 500 calibration rows"):
        profile_reference(table, *parts, make_contract(), ["hour"], 10, PROFILE, 0)
