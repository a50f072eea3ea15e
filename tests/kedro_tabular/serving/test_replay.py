"""`kedro replay` against a real server of a small model."""

import re
import threading
import time

import numpy as np
import pandas as pd
import pytest
import requests
import yaml
from click.testing import CliRunner
from kedro.framework.startup import ProjectMetadata
from kedro_tabular.commands.replay import replay as replay_command
from kedro_tabular.contract.contract import Contract
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.replay import Client, Replay, ResponseError, select_period

from ...conftest import fit_packaged, make_contract, make_table
from .conftest import KEYS, Server, start

CONTRACT = Contract.from_parameters(make_contract())
HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    running = start(tmp_path_factory.mktemp("service"), fit_packaged("binary"))
    yield running
    running.server.stop()


@pytest.fixture
def serve(service, tmp_path):
    """Starts servers that share an empty log."""
    started = []
    log = service.settings.log.model_copy(update={"url": f"sqlite:///{tmp_path}/log.db"})
    settings = service.settings.model_copy(update={"log": log})

    def serve(api_key=None):
        started.append(Server(settings, service.deployment, api_key))
        return started[-1]

    yield serve
    for server in started:
        server.stop()


@pytest.fixture
def table():
    """Rows of three days in random order, with columns that are not in the contract."""
    rng = np.random.default_rng(3)
    table = make_table(120)
    minutes = pd.to_timedelta(rng.integers(0, 3 * 24 * 60, len(table)), unit="min")
    return table.assign(when=pd.Timestamp("2020-03-01") + minutes, order=range(len(table)), note="late")


def logged(folder):
    log = PredictionLog(f"sqlite:///{folder}/log.db")
    rows = log.read()
    log.close()
    return rows


class Recording(Client):
    """A client that keeps the bodies of its requests."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.sent = {"/predict": [], "/outcomes": []}

    def post(self, path, body):
        response = super().post(path, body)
        self.sent[path].extend(body.values())
        return response


def test_rows_are_sent_in_the_order_of_time_and_outcomes_when_they_are_known(serve, table, tmp_path):
    period = select_period(table, CONTRACT, None, None)
    replay = Replay(Client(serve().url, None, 60), period, CONTRACT, KEYS, max_rows=500)
    for hour in replay.run(DAY):
        rows = logged(tmp_path)
        sent, known = rows["input.order"], rows.loc[rows["outcome"].notna(), "input.order"]
        assert set(sent) == set(table.loc[table["when"] < hour + HOUR, "order"])
        assert set(known) == set(table.loc[table["when"] + DAY <= hour, "order"])
    rows = logged(tmp_path)
    assert pd.to_datetime(rows["input.when"]).dt.floor("h").is_monotonic_increasing
    assert rows["input.when"].tolist() == [when.isoformat() for when in period.table["when"]]
    known = rows.dropna(subset="outcome")
    assert known["outcome"].tolist() == table["answer"][known["input.order"].astype(int)].tolist()
    late = table["when"] + DAY > pd.Timestamp("2020-03-04")  # known after the last day has ended
    assert (replay.rows, replay.outcomes) == (len(table), (~late).sum())
    assert 0 < late.sum() < len(table)
    assert replay.rows_by_version == {"version 1": len(table)}


def test_a_request_holds_inputs_and_keys_of_one_hour_and_never_the_target(serve, table):
    table.loc[:3, "answer"] = np.nan  # no outcome
    client = Recording(serve().url, None, 60)
    replay = Replay(client, select_period(table, CONTRACT, None, None), CONTRACT, [*KEYS, "answer"], max_rows=3)
    for _ in replay.run(pd.Timedelta(0)):
        pass
    for records in client.sent["/predict"]:
        assert 1 <= len(records) <= 3
        assert len({row["when"].floor("h") for row in records}) == 1
    rows = [row for records in client.sent["/predict"] for row in records]
    assert {tuple(row) for row in rows} == {(*CONTRACT.features, "order")}
    missing = [row["order"] for row in rows if row["weight"] is None]
    assert sorted(missing) == table.index[table["weight"].isna()].tolist()
    outcomes = [outcome["outcome"] for outcomes in client.sent["/outcomes"] for outcome in outcomes]
    assert len(outcomes) == len(table) - 4
    assert set(outcomes) == {0, 1}


def test_rows_without_a_time_have_the_present_time_and_their_outcomes_follow(serve, table, tmp_path):
    timeless = CONTRACT.model_copy(update={"time": None})
    replay = Replay(
        Client(serve().url, None, 60), select_period(table, timeless, None, None), timeless, KEYS, max_rows=500
    )
    for _ in replay.run(DAY):
        pass
    rows = logged(tmp_path)
    assert sorted(rows["input.order"]) == list(range(len(table)))
    assert rows["outcome"].tolist() == table["answer"][rows["input.order"].astype(int)].tolist()
    assert (replay.rows, replay.outcomes) == (len(table), len(table))


def test_the_time_is_sent_even_if_it_is_no_feature(serve, table):
    contract = Contract.from_parameters(make_contract(time="moment"))
    client = Recording(serve().url, None, 60)
    period = select_period(table.assign(moment=table["when"]), contract, None, None)
    for _ in Replay(client, period, contract, [], max_rows=500).run(DAY):
        pass
    sent = {tuple(row) for rows in client.sent["/predict"] for row in rows}
    assert sent == {(*CONTRACT.features, "moment")}


def test_the_clock_runs_with_the_given_speed(serve):
    period = select_period(make_table(4), CONTRACT, None, None)  # a row each 6 hours
    started, passed = time.monotonic(), []
    for hour in Replay(Client(serve().url, None, 60), period, CONTRACT, KEYS, 500).run(HOUR, speed=18 * 3600):
        passed.append(((hour - period.since) / HOUR / 18, time.monotonic() - started))
    assert len(passed) == 8
    assert all(due <= seconds for due, seconds in passed)
    assert passed[-1][1] < 5


def test_the_period_is_whole_days():
    table = make_table(40)
    first, last = pd.Timestamp("2020-01-03").to_pydatetime(), pd.Timestamp("2020-01-04").to_pydatetime()
    period = select_period(table, CONTRACT, first, last)
    assert period.table["when"].tolist() == table["when"][8:16].tolist()
    assert (period.since, period.until) == (pd.Timestamp("2020-01-03"), pd.Timestamp("2020-01-05"))


def test_rows_that_are_counted_are_in_the_log_if_the_server_stops_half_way(serve, table, tmp_path):
    server = serve()
    replay = Replay(Client(server.url, None, 60), select_period(table, CONTRACT, None, None), CONTRACT, KEYS, 500)
    steps = replay.run(DAY)
    for _ in range(20):
        next(steps)
    server.stop()
    with pytest.raises(requests.ConnectionError):
        list(steps)
    assert len(logged(tmp_path)) == replay.rows > 0


def test_a_key_is_needed_where_the_server_has_one(serve):
    url = serve(api_key="secret ü").url
    for key in (None, "wrong"):
        with pytest.raises(ResponseError, match="an API key is needed") as refused:
            Client(url, key, 60).post("/predict", {"records": []})
        assert refused.value.status == 401
    assert Client(url, "secret ü", 60).post("/predict", {"records": []})["predictions"] == []
    with pytest.raises(ResponseError, match="Not Found"):
        Client(url, "secret ü", 60).post("/nowhere", {})


@pytest.fixture
def command(service, table, tmp_path, monkeypatch):
    """Runs `kedro replay` in a project of the small table; returns its exit code and output."""
    base = tmp_path / "conf" / "base"
    base.mkdir(parents=True)
    (tmp_path / "conf" / "local").mkdir()
    settings = service.settings.model_copy(update={"api_key_variable": "THE_KEY"}).model_dump()
    catalog = {"live_table": {"type": "pandas.ParquetDataset", "filepath": "live.parquet"}}
    (base / "catalog.yml").write_text(yaml.safe_dump(catalog))
    table.to_parquet(tmp_path / "live.parquet")
    monkeypatch.chdir(tmp_path)
    package = "project"
    metadata = ProjectMetadata(tmp_path, package, package, tmp_path, tmp_path, "1.7.0", [], "")

    def call(*arguments, **contract):
        parameters = {"table": make_contract() | contract, "serving": settings}
        (base / "parameters.yml").write_text(yaml.safe_dump(parameters))
        done = CliRunner().invoke(replay_command, arguments, obj=metadata)
        return done.exit_code, done.output

    return call


def test_errors_are_reported_in_a_line(command, table, tmp_path):
    def refused(*arguments, **contract):
        code, output = command("--url", "localhost:9", *arguments, **contract)
        assert code == 1
        return output.strip()

    assert refused() == ("Error: no server at http://localhost:9: start it with `kedro serve` in another terminal")
    assert "no time to select days by" in refused("--from", "2020-03-01", time=None)
    assert refused("--from", "2020-03-04") == (
        "Error: there are no rows on these days: the table has 2020-03-01 to 2020-03-03"
    )
    assert "lacks columns of the contract: hour, reply" in refused(time="hour", target="reply")
    assert "column colour of the table is str instead of a date-time" in refused(time="colour")
    table.head(0).to_parquet(tmp_path / "live.parquet")
    assert "has no rows" in refused()
    (tmp_path / "live.parquet").unlink()
    assert "live.parquet is missing. Run the pipeline that makes it" in refused()
    for option in ("--outcomes-after=-1h", "--outcomes-after=soon", "--speed=-1", "--from=yesterday"):
        assert command(option)[0] == 2


def test_without_a_time_the_next_step_is_printed_without_days(command, serve):
    code, output = command("--url", serve().url, time=None)
    assert code == 0
    assert output.strip().endswith("Next: kedro run --pipeline=monitoring")


def test_the_key_comes_from_the_environment(command, serve, monkeypatch):
    url = serve(api_key="secret").url
    code, output = command("--url", url)
    assert code == 1
    assert "an API key is needed; set it in the environment variable THE_KEY" in output
    monkeypatch.setenv("THE_KEY", "secret")
    code, output = command("--url", url, "--from", "2020-03-02", "--outcomes-after", "0h")
    assert code == 0
    assert "not known by the end" in output
    assert output.strip().endswith("--pipeline=monitoring --params=since=2020-03-02,until=2020-03-04")


def test_a_server_that_stops_is_reported_with_the_number_of_predicted_rows(command, serve, tmp_path):
    server = serve()
    threading.Timer(1.5, server.stop).start()
    code, output = command("--url", server.url, "--speed", str(24 * 3600 / 2))
    assert code == 1
    answered = int(re.search(r"(\d+) rows were predicted before that; they are in the prediction log", output)[1])
    assert len(logged(tmp_path)) == answered > 0
