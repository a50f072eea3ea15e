"""Windows of live rows: which are looked at, what is said of them, who is told."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kedro_tabular.contract.arrow import parse_outcomes
from kedro_tabular.contract.contract import Contract
from kedro_tabular.evaluation.metrics import LabelledScores
from kedro_tabular.monitoring.alerts import decide_alerts
from kedro_tabular.monitoring.assessment import WindowRows, assess, observe
from kedro_tabular.monitoring.estimation import measure_quality
from kedro_tabular.monitoring.profile import Profile
from kedro_tabular.monitoring.profiling import profile_reference
from kedro_tabular.monitoring.report import write_report
from kedro_tabular.monitoring.scored import ScoredFile, Window, WindowContents
from kedro_tabular.monitoring.window import find_window
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


class Profiles(dict):
    """By version."""


@pytest.fixture(scope="module")
def model():
    return fit_packaged("binary")


@pytest.fixture(scope="module")
def profiles(model):
    return Profiles({"1": Profile.model_validate(make_profile(model))})


def score(model, table, path, version="1", **columns):
    answers = model.predict(table)
    answers["reasons"] = answers["reasons"].map(list)
    scored = pd.concat([table, answers], axis=1).assign(model_version=version, **columns)
    scored.to_parquet(path)
    return scored


def look(path, profiles, monitoring, span=SPAN, task="classification", **alerts):
    file = ScoredFile(path, "when", "model_version", "answer")
    contract = make_contract(task)
    observed = observe(file, profiles, contract, *span, monitoring)
    told = assess(observed, monitoring, ALERTS | alerts, None, 0)[0]
    json.dumps(told, allow_nan=False)
    assert write_report(told, contract, monitoring).endswith("</html>")
    return told


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("7d", None, None, "2013-11"), ("2013-11-01", "2013-12-01")),
        (("7d", "2013-11-05", "2013-11-07 12:00", None), ("2013-11-05", "2013-11-07 12:00")),
        (("36h", None, "2013-11-07", None), ("2013-11-05 12:00", "2013-11-07")),
        (("7d", "2013-11-05T00:00+02:00", "2013-11-07", None), ("2013-11-04 22:00", "2013-11-07")),
    ],
)
def test_a_window_is_a_month_a_span_or_a_length(given, expected):
    assert find_window(*given) == Window(*(pd.Timestamp(text).to_pydatetime() for text in expected))


def test_a_window_ends_now_if_nothing_else_is_said():
    window = find_window("2d", None, None, None)
    assert window.until - window.since == dt.timedelta(days=2)
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    assert abs(window.until - now) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("7d", None, None, "november"), "month: 'november'"),
        (("7d", "2013-11-01", None, "2013-11"), "neither since nor until"),
        (("soon", None, None, None), "window: 'soon'"),
        (("-1d", None, None, None), "window: '-1d'"),
        (("7d", "yesterday-ish", None, None), "since: "),
        (("7d", "2013-11-07", "2013-11-01", None), "is empty"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused_by_name(given, said):
    with pytest.raises(ParameterError, match=said):
        find_window(*given)


def test_rows_like_the_reference_are_no_alert_and_rows_unlike_it_are(tmp_path, model, profiles, monitoring):
    table = make_table(1000, seed=21)
    score(model, table, tmp_path / "a.parquet")
    same = look(tmp_path / "a.parquet", profiles, monitoring)
    assert (same["verdict"], same["findings"], same["problems"]) == ("ok", [], [])
    score(model, table.assign(weight=table["weight"] + 1), tmp_path / "b.parquet")
    moved = look(tmp_path / "b.parquet", profiles, monitoring)
    assert moved["verdict"] == "alert"
    assert moved["findings"][0]["subject"] == "weight"
    version = moved["versions"]["1"]
    assert version["rows"] == version["outcomes"] == 1000
    assert version["measured"]["metric"] == pytest.approx(version["metrics"]["roc_auc"])
    assert sum(period["rows"] for period in version["over_time"]) == 1000


def test_without_outcomes_the_quality_is_estimated(tmp_path, model, profiles, monitoring):
    table = make_table(1000, seed=21)
    hard = table.assign(size=57.0, colour="blue").drop(columns="answer")  # near the border between the classes
    score(model, hard, tmp_path / "a.parquet")
    told = look(tmp_path / "a.parquet", profiles, monitoring, rules=[{"check": "estimated_quality", "windows": 1}])
    assert told["verdict"] == "alert"
    assert told["versions"]["1"]["measured"] is None
    assert told["findings"][0]["check"] == "estimated_quality"


def test_an_empty_window_has_no_verdict_and_says_where_there_are_rows(tmp_path, model, profiles, monitoring):
    score(model, make_table(300), tmp_path / "a.parquet")
    told = look(tmp_path / "a.parquet", profiles, monitoring, ("7d", None, None, "2031-05"))
    assert told["verdict"] == "none"
    assert "no predictions of small from 2031-05-01" in told["problems"][0]
    assert "2020-01-01 to 2020-03" in told["problems"][0]


def test_versions_are_judged_by_themselves(tmp_path, model, profiles, monitoring):
    table = make_table(1000, seed=21)
    first, second = table.iloc[:500], table.iloc[500:].assign(weight=lambda rows: rows["weight"] + 2)
    files = [tmp_path / f"{name}.parquet" for name in ("1", "2", "3", "both")]
    parts = [
        score(model, first, files[0]),
        score(model, second, files[1], "2"),
        score(model, first.iloc[:10], files[2], "3"),
    ]
    pd.concat([*parts, score(model, second, files[1], "4")]).to_parquet(files[3])
    both = Profiles(profiles | {"2": profiles["1"]})
    told = look(files[3], both, monitoring)
    assert list(told["versions"]) == ["2", "1"]
    assert {finding["version"] for finding in told["findings"]} == {"2"}
    assert "version 4 has no reference profile" in told["problems"][0]
    assert "version 3 answered 10 rows only" in told["problems"][1]


def test_columns_that_the_profile_does_not_know_are_left_alone_and_those_it_lacks_are_told(
    tmp_path, model, profiles, monitoring
):
    table = make_table(500, seed=21)
    scored = score(model, table, tmp_path / "a.parquet", prediction_time="x", colour_of_sky="grey")
    assert look(tmp_path / "a.parquet", profiles, monitoring)["verdict"] == "ok"
    scored.drop(columns=["weight", "size"]).to_parquet(tmp_path / "b.parquet")
    told = look(tmp_path / "b.parquet", profiles, monitoring)
    assert told["verdict"] == "none"
    assert told["problems"] == ["version 1 can't be judged: b.parquet lacks its columns size, weight"]


@pytest.mark.parametrize("answer", ["text", "number"])
def test_other_tasks_are_monitored_too(tmp_path, monitoring, answer):
    model = fit_packaged(answer)
    profiles = Profiles({"1": Profile.model_validate(make_profile(model, answer))})
    task = "regression" if answer == "number" else "classification"
    table = make_table(1000, answer, seed=21)
    score(model, table, tmp_path / "a.parquet")
    assert look(tmp_path / "a.parquet", profiles, monitoring, task=task)["verdict"] == "ok"
    turned = table["answer"].sample(frac=1, random_state=0).to_numpy()
    score(model, table.assign(answer=turned), tmp_path / "b.parquet")
    told = look(tmp_path / "b.parquet", profiles, monitoring, task=task)
    assert told["findings"][0]["check"] == "quality"
    assert (told["versions"]["1"]["estimated"] is None) == (answer == "number")


def test_a_large_window_is_drawn(tmp_path, model, profiles, monitoring):
    score(model, make_table(3000, seed=21), tmp_path / "a.parquet")
    told = look(tmp_path / "a.parquet", profiles, monitoring | {"most_rows": 1000})
    assert told["versions"]["1"]["rows"] == 3000
    assert 900 < told["versions"]["1"]["looked_at"] < 1100


def test_a_profile_is_json_and_the_same_each_time(model):
    first, again = make_profile(model), make_profile(model)
    assert json.dumps(first) == json.dumps(again)
    read = Profile.model_validate(json.loads(json.dumps(first)))
    assert read.contract == Contract.from_parameters(make_contract())
    for watched in read.watched:
        counts = read.counts(watched.name)
        assert counts.shape[1] == watched.n_bins == len(watched.labels)
        assert counts.sum() == 1500
        assert len(counts) <= 60


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "mae"}, "profile.metric in conf/: a classification has no 'mae'"),
        ({"slices": ["size"]}, "profile.slices in conf/: size is no category"),
    ],
)
def test_a_profile_that_can_not_be_is_refused(model, changes, said):
    with pytest.raises(ParameterError, match=said):
        make_profile(model, **changes)


def found(*subjects, window=1, check="drift"):
    findings = [{"check": check, "subject": name, "says": f"{name} moved"} for name in subjects]
    judged = [{"check": check, "subject": name} for name in ("size", "weight")]
    span = {"since": f"2020-01-0{window}", "until": f"2020-01-0{window + 1}"}
    versions = {"1": {"findings": judged}}
    return {"verdict": "alert" if subjects else "ok", "findings": findings, "window": span, "versions": versions}


def tell(state, told):
    """What the channel does with a message that is delivered."""
    for key in told["told"]:
        if told["state"][key]["raised"]:
            told["state"][key]["told"] = True
        else:
            del told["state"][key]
    return told["state"]


def decide(monitoring, state, windows=1):
    alerts = {"rules": [{"check": "drift", "windows": windows}], "urls_variable": "X", "dry_run": False}
    return decide_alerts(monitoring, state, "", make_contract(), alerts)


def test_an_alert_is_told_once_and_then_its_recovery():
    first = decide(found("size", window=1), {})
    assert "size moved" in first["message"]["body"]
    assert "kedro run --pipeline=monitoring" in first["message"]["body"]
    state = tell({}, first)
    again = decide(found("size", window=2), state)
    assert again["message"] is None
    more = decide(found("size", "weight", window=3), tell(state, again))
    assert more["message"]["title"] == "small: 1 new, 1 as before"
    assert "size moved" not in more["message"]["body"]
    over = decide(found("weight", window=4), tell(state, more))
    assert over["message"]["title"] == "small: 1 over, 1 as before"
    assert "Recovered" in over["message"]["body"]
    state = tell(state, over)
    assert list(state) == ["drift weight"]
    assert decide(found("size", "weight", window=5), state)["told"] == ["drift size"]


def test_an_alert_waits_for_as_many_windows_in_a_row_as_its_rule_says():
    state = {}
    for window, subjects, expected in (
        (1, ["size"], None),
        (1, ["size"], None),  # the same window again is no second one
        (2, [], None),
        (3, ["size"], None),
        (4, ["size"], "small: 1 new"),
    ):
        told = decide(found(*subjects, window=window), state, windows=2)
        assert (told["message"] and told["message"]["title"]) == expected
        state = tell(state, told)


def test_what_was_not_delivered_is_told_the_next_time():
    first = decide(found("size"), {})
    assert decide(found("size", window=2), first["state"])["message"]["title"] == "small: 1 new"


def test_a_window_without_a_verdict_changes_nothing():
    state = tell({}, decide(found("size"), {}))
    unknown = found() | {"verdict": "none"}
    assert decide(unknown, state) == {"state": state, "message": None, "told": []}


def test_what_could_not_be_judged_is_not_over():
    state = tell({}, decide(found("size"), {}))
    unseen = found(window=2) | {"versions": {"1": {"findings": [{"check": "drift", "subject": "weight"}]}}}
    told = decide(unseen, state)
    assert told["message"] is None
    assert list(told["state"]) == ["drift size"]
    assert decide(found(window=3), told["state"])["told"] == ["drift size"]


def test_a_look_at_an_earlier_window_tells_nobody():
    state = tell({}, decide(found("size", window=5), {}))
    assert decide(found(window=3), state) == {"state": state, "message": None, "told": []}


def test_windows_that_overlap_count_once():
    first = decide(found("size", window=1), {}, windows=2)
    overlapping = found("size") | {"window": {"since": "2020-01-01 12:00", "until": "2020-01-02 12:00"}}
    second = decide(overlapping, first["state"], windows=2)
    assert (second["message"], second["state"]["drift size"]["windows"]) == (None, 1)
    assert decide(found("size", window=3), second["state"], windows=2)["told"] == ["drift size"]


def test_a_service_that_answers_nothing_but_errors_is_an_alert(monitoring):
    rules = [{"check": "error_share", "above": 0, "windows": 1}]
    window = Window(dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 8))
    contents = WindowContents({}, None, None, {"timeout": 7, "invalid_body": 3}, 0)
    told = assess(WindowRows(window, contents, {}, []), monitoring, ALERTS | {"rules": rules}, "alert", 0)[0]
    assert (told["verdict"], told["fails"]) == ("alert", True)
    assert told["findings"][0]["says"] == "7 requests failed, 0 rows were answered"
    json.dumps(told, allow_nan=False)
    assert "7 requests failed" in write_report(told, make_contract(), monitoring)
    fine = contents._replace(errors={"invalid_body": 3}, rows={"1": 5})
    assert assess(WindowRows(window, fine, {}, []), monitoring, ALERTS | {"rules": rules}, None, 0)[0]["findings"] == []


@pytest.mark.parametrize(
    ("monitoring_changes", "rules", "said"),
    [
        ({"most_rows": 1000, "min_rows": 2000}, RULES, "most_rows 1000 is below min_rows 2000"),
        ({}, [*RULES, RULES[0]], "more than one for a check"),
        ({}, [{"check": "error_share", "windows": 1}], "error_share needs a limit"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(monitoring, monitoring_changes, rules, said):
    window = Window(dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 8))
    observed = WindowRows(window, WindowContents({}, None, None, {}, 0), {}, [])
    with pytest.raises(ParameterError, match=said):
        assess(observed, monitoring | monitoring_changes, ALERTS | {"rules": rules}, None, 0)


def test_odd_values_in_a_file_are_no_hindrance(tmp_path, model, profiles, monitoring):
    table = make_table(600, seed=21)
    scored = score(model, table, tmp_path / "a.parquet", latency_ms=1.0)
    scored["latency_ms"] = scored["latency_ms"].where(scored.index > 3)
    scored["model_version"] = scored["model_version"].where(scored.index > 5)
    scored["when"] = scored["when"].astype("datetime64[ns]") + pd.Timedelta(1, "ns")
    scored.loc[7, "when"] = pd.NaT
    scored["answer"] = scored["answer"].astype(float)
    scored.to_parquet(tmp_path / "a.parquet")
    told = look(tmp_path / "a.parquet", profiles, monitoring)
    assert told["verdict"] == "ok"
    assert told["versions"]["1"]["outcomes"] == told["versions"]["1"]["rows"] == 593
    assert told["versions"]["1"]["service"]["latency_p99_ms"] == 1


def test_outcomes_match_the_classes_however_numbers_and_booleans_are_written():
    values = pa.array(["1", "1.0", "true", '"1"', '"True"', "0", "false", "null", '"x"'])
    assert parse_outcomes(values, json.loads, ["0", "1"]).to_pylist() == [*["1"] * 5, "0", "0", None, "x"]
    assert parse_outcomes(values, json.loads, ["0.0", "1.0"]).to_pylist()[:6] == [*["1.0"] * 5, "0.0"]
    assert parse_outcomes(values, json.loads, ["False", "True"]).to_pylist()[:6] == [*["True"] * 5, "False"]
    huge = pa.array(["1" + "0" * 400, "2.5", '"x"'])
    assert parse_outcomes(huge, json.loads, None).to_pylist() == [None, 2.5, None]


def test_a_rare_class_has_a_metric_and_an_error_to_believe():
    rng = np.random.default_rng(0)
    scores = rng.random((50_000, 1))
    truth = np.where(np.arange(50_000) < 30, "1", "0").astype(object)
    scored = LabelledScores(truth, np.hstack([1 - scores, scores]), np.array(["0", "1"], dtype=object))
    assert 0.03 < measure_quality(scored, "roc_auc", 10, 0).error < 0.09  # 0.29 / sqrt(30) is 0.053


def test_a_class_that_only_the_calibration_rows_have_is_left_out(model):
    table = make_table(1500, seed=9).astype({"answer": object})
    table.loc[:2, "answer"] = 2
    parts = (model.preprocessor, model.estimator, model.guard, model.fallback)
    made = profile_reference(table, *parts, make_contract(), ["hour"], 10, PROFILE | {"metric": "log_loss"}, 0)
    assert made["quality"][0]["rows"] == 1497


def test_a_calibration_part_without_a_metric_is_refused(model):
    table = make_table(500, seed=9).assign(answer=1)
    parts = (model.preprocessor, model.estimator, model.guard, model.fallback)
    with pytest.raises(ParameterError, match="500 calibration rows have no roc_auc"):
        profile_reference(table, *parts, make_contract(), ["hour"], 10, PROFILE, 0)
