"""The prediction log in SQLite and in a real PostgreSQL."""

import datetime as dt
import sqlite3
import time

import mlflow
import pandas as pd
import pytest
import sqlalchemy as sa
from kedro.io import DatasetError
from kedro_tabular.contract.contract import Contract
from kedro_tabular.monitoring.scored_rows import RowSelection
from kedro_tabular.monitoring.window import Window
from kedro_tabular.serving.log import logged_rows
from kedro_tabular.serving.log.logged_rows import LoggedRows, LoggedRowsDataset
from kedro_tabular.serving.log.prediction_log import PredictionLog, PredictionLogDataset
from kedro_tabular.serving.log.records import LogContext, make_keys, make_log_rows
from kedro_tabular.serving.log.tables import DRAWS, ERRORS, OUTCOMES, PREDICTIONS
from kedro_tabular.serving.parsing import Rows, rows_from_records

from ...conftest import fit_packaged, make_contract, make_table
from .conftest import Server, records, start

CONTRACT = Contract.from_parameters(make_contract())
NOW = dt.datetime(2030, 1, 2, 3, 4, 5)
LATER = NOW + dt.timedelta(days=100)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/log.db"
    return request.getfixturevalue("postgresql")


def row(number, **values):
    return {
        "id": f"request-{number}",
        "time": NOW + dt.timedelta(hours=number),
        "event_time": NOW + dt.timedelta(days=number),
        "draw": number * 1000,
        "model": "small",
        "version": "1",
        "key": f'["red",{number}]',
        "input": '{"colour":"red","size":null,"odd":"\\u0000"}',
        "prediction": "0",
        "numbers": '{"probability_0":0.1,"probability_1":0.9}',
        "source": "model",
        "reasons": "[]",
        "latency_ms": 1.5,
    } | values


def test_predictions_are_read_with_their_outcomes(url):
    log = PredictionLog(url)
    log.append([row(number) for number in range(1200)])
    outcomes = [{"reference": f"id:request-{n}", "time": LATER, "outcome": "1"} for n in range(600)]
    outcomes += [{"reference": f'key:["red",{n}]', "time": LATER, "outcome": "0"} for n in range(500, 1201)]
    assert log.add_outcomes("small", outcomes) == 1  # the last has no prediction
    logged = log.read().set_index("id")
    assert len(logged) == 1200
    assert logged.loc["request-7", "outcome"] == 1
    assert logged.loc["request-550", "outcome"] == 1  # the id takes precedence over the key
    assert logged.loc["request-1100", "outcome"] == 0
    assert logged.loc["request-3", ["prediction", "probability_1", "input.colour"]].tolist() == [0, 0.9, "red"]
    assert logged.loc["request-3", "input.odd"] == "\x00"
    window = log.read(NOW + dt.timedelta(hours=2), NOW + dt.timedelta(hours=4))
    assert window["id"].tolist() == ["request-2", "request-3"]
    log.close()


def test_rows_are_stored_all_or_none(url):
    log = PredictionLog(url)
    before = len(log.read())
    with pytest.raises(Exception, match=r"(?i)unique"):
        log.append([row(5000), row(5001), row(5000)])
    assert len(log.read()) == before
    log.close()


def test_the_service_logs_into_postgresql(tmp_path, postgresql):
    running = start(tmp_path, fit_packaged("number"), log={"url": postgresql, "keys": ["colour"]})
    predictions = running.server.post("/predict", {"records": records(3)}).json()["predictions"]
    running.server.post("/outcomes", {"outcomes": [{"id": predictions[0]["id"], "outcome": 2.5}]})
    running.server.stop()
    logged = running.logged().set_index("id").loc[[row["id"] for row in predictions]]
    assert logged["prediction"].tolist() == [row["prediction"] for row in predictions]
    assert logged["lower"].tolist() == [row["lower"] for row in predictions]
    assert logged["outcome"].iloc[0] == 2.5


def test_without_its_log_nothing_is_predicted_and_with_log_off_nothing_is_stored(tmp_path):
    running = start(tmp_path, fit_packaged("binary"))
    with sqlite3.connect(tmp_path / "log.db") as connection:
        connection.execute("ALTER TABLE predictions RENAME TO gone")
    response = running.server.post("/predict", {"records": records(1)})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "log_unavailable")
    assert str(tmp_path) not in response.text
    running.server.stop()
    unlogged = Server(running.settings.model_copy(update={"log": False}), running.deployment)
    assert unlogged.post("/predict", {"records": records(1)}).status_code == 200
    assert unlogged.post("/outcomes", {"outcomes": []}).status_code == 404
    unlogged.stop()


def test_errors_are_counted_until_they_are_stored(tmp_path):
    running = start(tmp_path, fit_packaged("binary"), refresh_seconds=0.05)
    with sqlite3.connect(tmp_path / "log.db") as connection:
        connection.execute("ALTER TABLE errors RENAME TO away")
    for _ in range(3):
        assert running.server.post("/predict", {"records": 1}).status_code == 422
    time.sleep(0.3)  # the log is not writable several times
    with sqlite3.connect(tmp_path / "log.db") as connection:
        connection.execute("ALTER TABLE away RENAME TO errors")
    assert running.server.get("/nowhere").status_code == 404
    running.server.stop()
    mlflow.end_run()
    with sqlite3.connect(tmp_path / "log.db") as connection:
        stored = connection.execute("SELECT code, sum(requests) FROM errors GROUP BY code ORDER BY code").fetchall()
    assert stored == [("invalid_body", 3), ("not_found", 1)]


def test_the_dataset_reads_the_log_and_reports_what_is_wrong(tmp_path):
    log = PredictionLog(f"sqlite:///{tmp_path}/log.db")
    log.append([row(1)])
    log.close()
    assert PredictionLogDataset(f"sqlite:///{tmp_path}/log.db").load()["id"].tolist() == ["request-1"]
    with pytest.raises(DatasetError, match=r"serving\.log in conf/ is off"):
        PredictionLogDataset(None).load()
    with pytest.raises(DatasetError, match="does not support mysql, only sqlite, postgresql"):
        PredictionLogDataset("mysql://host/database").load()
    (tmp_path / "no.db").write_text("this is no database, " * 100, encoding="utf-8")
    with pytest.raises(DatasetError, match="is not available"):
        PredictionLogDataset(f"sqlite:///{tmp_path}/no.db").load()


def test_the_key_of_a_row_is_the_same_in_all_formats():
    contract = Contract.from_parameters(make_contract())
    table = make_table(30).assign(order=range(30))
    text = table.astype({"when": str, "order": float}).astype(object)
    keys = ["colour", "when", "order"]
    row_keys = make_keys(Rows.from_table(table), keys, contract)
    assert make_keys(Rows.from_table(text), keys, contract) == row_keys
    assert row_keys[1] == f'["{table["colour"][1]}","2020-01-01T06:00:00",1]'
    assert make_keys(Rows.from_table(table), ["town"], contract)[9:12] == [
        None if pd.isna(town) else f'["{town}"]' for town in table["town"][9:12]
    ]
    assert make_keys(Rows.from_table(table), ["nowhere"], contract) == [None] * 30


INPUT = '{"colour":"red","town":null,"size":7,"weight":1.5,"when":"2030-01-02T03:04:05","order":7}'
WINDOW = Window(NOW, NOW + dt.timedelta(days=10))


def read(log, classes=("0", "1"), fraction=1.0, version="1", window=WINDOW):
    selection = RowSelection("logged", version, window, fraction)
    contract = Contract.from_parameters(make_contract())
    return LoggedRows(log).read(selection, contract, classes and list(classes))


@pytest.fixture
def log(url):
    opened = PredictionLog(url)
    with opened.engine.begin() as connection:  # rows of other tests in the same database
        for table in (PREDICTIONS, OUTCOMES, ERRORS):
            connection.execute(table.delete())
    opened.append([row(number, model="logged", input=INPUT) for number in range(12)])
    yield opened
    opened.close()


def test_monitoring_reads_a_window_with_its_outcomes_in_columns(log):
    outcomes = {"id:request-3": "1", 'key:["red",4]': "1.0", "id:request-5": '"a \\"b\\""', "id:none": "0"}
    log.add_outcomes("logged", [{"reference": r, "time": LATER, "outcome": o} for r, o in outcomes.items()])
    rows = read(log).to_pandas()
    assert len(rows) == 10  # of twelve days
    assert rows["input.size"].eq(7).all()
    assert rows["input.when"].eq(pd.Timestamp("2030-01-02T03:04:05")).all()
    assert rows["input.town"].isna().all()
    assert rows["probability_1"].eq(0.9).all()
    outcomes = rows.set_index("event_time")["outcome"].dropna()
    assert outcomes.tolist() == ["1", "1", 'a "b"']
    assert outcomes.index[0] == NOW + dt.timedelta(days=3)
    assert len(read(log, version="2")) == 0


def test_monitoring_reads_values_of_wrong_types_as_missing(log):
    odd = '{"colour":5,"size":"much","when":"soon","weight":true}'
    log.append([row(100, model="logged", input=odd, event_time=NOW, version="2")])
    log.append([row(101, model="logged", input=INPUT, event_time=NOW, version="2")])
    rows = read(log, version="2").to_pandas().sort_values("input.size")
    assert rows.filter(like="input.").notna().sum().to_dict() == {
        "input.colour": 1,
        "input.town": 0,
        "input.size": 1,
        "input.weight": 1,
        "input.when": 1,
    }
    assert rows["event_time"].eq(NOW).all()


def test_a_wrong_type_in_one_chunk_of_many_is_missing(log, monkeypatch):
    monkeypatch.setattr(logged_rows, "_CHUNK_ROWS", 4)
    log.append([row(100, model="logged", input='{"size":"much"}', event_time=NOW)])
    rows = read(log)
    assert len(rows) == 11
    assert rows["input.size"].null_count + rows.to_pandas()["input.size"].isna().sum() >= 1


def test_a_time_with_a_zone_is_converted_whatever_the_other_rows_are(log):
    zoned = INPUT.replace("03:04:05", "03:04:05+02:00")
    log.append([row(100, model="logged", input=zoned, event_time=NOW, version="2")])
    assert read(log, version="2")["input.when"].to_pylist() == [dt.datetime(2030, 1, 2, 1, 4, 5)]
    log.append([row(101, model="logged", input='{"size":"much"}', event_time=NOW, version="2")])
    times = read(log, version="2")["input.when"].to_pylist()
    assert sorted(times, key=str) == [dt.datetime(2030, 1, 2, 1, 4, 5), None]


def test_monitoring_reads_a_regression_and_outcomes_that_are_no_number_as_unknown(log):
    log.add_outcomes(
        "logged", [{"reference": f"id:request-{n}", "time": LATER, "outcome": o} for n, o in ((1, "2.5"), (2, '"x"'))]
    )
    rows = read(log, classes=None).to_pandas()
    assert rows["prediction"].eq(0).all()
    assert rows["outcome"].dropna().tolist() == [2.5]


def test_monitoring_draws_the_same_sample_each_time(log):
    assert read(log, fraction=0.005).equals(read(log, fraction=0.005))
    assert len(read(log, fraction=0.005)) == 5


def test_monitoring_counts_rows_errors_and_outcomes_of_a_window(log):
    log.append([row(number, model="logged", version="2") for number in range(50, 53)])
    log.append([row(number) for number in range(60, 63)])  # of another model
    log.add_errors({"logged": {"timeout": 2, "invalid_body": 1}}, NOW + dt.timedelta(hours=1))
    log.add_errors({"logged": {"timeout": 3}}, NOW + dt.timedelta(hours=2))
    log.add_errors({"logged": {"timeout": 50}}, NOW + dt.timedelta(days=30))
    log.add_errors({"another model": {"timeout": 70}}, NOW + dt.timedelta(hours=2))
    summary = LoggedRows(log).summarize("logged", WINDOW)
    assert summary.rows == {"1": 10}
    assert summary.errors == {"timeout": 5, "invalid_body": 1}
    assert (summary.last_before, summary.rows_before) == (None, 0)
    later = Window(NOW + dt.timedelta(days=200), NOW + dt.timedelta(days=201))
    log.add_errors({"logged": {"internal_error": 4}}, later.since)
    empty = LoggedRows(log).summarize("logged", later)
    assert (empty.rows, empty.errors, empty.unmatched_outcomes) == ({}, {"internal_error": 4}, 0)
    assert (empty.first, empty.last) == (NOW, NOW + dt.timedelta(days=52))
    assert (empty.last_before, empty.rows_before) == (NOW + dt.timedelta(days=52), 1)
    weeks = LoggedRows(log).summarize("logged", later._replace(until=later.since + dt.timedelta(days=3)))
    assert (weeks.last_before, weeks.rows_before) == (NOW + dt.timedelta(days=52), 3)
    references = ["id:0", "id:1", 'key:["red",900]']  # the last is stored with the number and with its text
    log.add_outcomes(
        "another model", [{"reference": reference, "time": LATER, "outcome": "1"} for reference in references]
    )
    assert LoggedRows(log).summarize("another model", later).unmatched_outcomes == 3


def test_a_log_that_does_not_exist_or_is_none_is_reported(tmp_path):
    with pytest.raises(DatasetError, match="there is no prediction log at"):
        LoggedRowsDataset(f"sqlite:///{tmp_path}/none.db").load()
    assert not (tmp_path / "none.db").exists()
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.execute("CREATE TABLE predictions (id TEXT, time TEXT, model TEXT, version TEXT, key TEXT)")
    with pytest.raises(DatasetError, match=r"has no columns input, .*it is not of a prediction log"):
        LoggedRowsDataset(f"sqlite:///{tmp_path}/old.db").load()


def test_errors_are_logged_and_rows_have_the_time_that_they_are_about(tmp_path):
    running = start(tmp_path, fit_packaged("binary"))
    try:
        running.server.post("/predict", {"records": [{"colour": "red", "when": "2019-05-06T07:08:09"}]})
        running.server.post("/predict", {"records": [{"colour": "red", "when": "soon"}]})
        for _ in range(3):
            assert running.server.post("/predict", {"records": 5}).status_code == 422
    finally:
        running.server.stop()
        mlflow.end_run()
    log = PredictionLog(running.settings.log.url)
    with log.engine.connect() as connection:
        errors = connection.execute(sa.select(ERRORS.c.code, ERRORS.c.requests)).all()
    rows = log.read()
    log.close()
    assert sum(requests for code, requests in errors if code == "invalid_body") == 3
    assert rows["event_time"].tolist() == [pd.Timestamp("2019-05-06T07:08:09"), rows["time"][1]]
    assert rows["draw"].between(0, DRAWS - 1).all()


def test_rows_have_their_time_even_if_it_is_no_feature():
    model, contract = fit_packaged("binary"), Contract.from_parameters(make_contract(time="moment"))
    rows = rows_from_records([{"moment": "2019-05-06T07:08:09"}, {"moment": "soon"}], "records", contract, [])
    predictions = model.predict_columns(rows.columns, 2, False)
    context = LogContext(["a", "b"], [None, None], 1.0)
    first, second = make_log_rows(rows, predictions, context, contract, "small", "1")
    assert first["event_time"] == dt.datetime(2019, 5, 6, 7, 8, 9)
    assert second["event_time"] == second["time"]


def test_the_time_in_a_key_is_the_same_in_all_formats():
    contract = Contract.from_parameters(make_contract(time="moment"))
    moments = ("2019-05-06", "2019-05-06T00:00:00", pd.Timestamp("2019-05-06"))
    rows = rows_from_records([{"moment": moment} for moment in moments], "records", contract, ["moment"])
    assert make_keys(rows, ["moment"], contract) == ['["2019-05-06T00:00:00"]'] * 3
