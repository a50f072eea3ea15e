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

from kedro_tabular.commands.replay import replay
from kedro_tabular.contract.contract import Contract
from kedro_tabular.serving.client import Client, RefusedError
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.replay import Replay, cut

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
    """Rows of three days in no order, with columns that are none of the contract's."""
    rng = np.random.default_rng(3)
    table = make_table(120)
    minutes = pd.to_timedelta(rng.integers(0, 3 * 24 * 60, len(table)), unit="min")
    return table.assign(when=pd.Timestamp("2020-03-01") + minutes, order=range(len(table)), note="late")


def logged(folder):
    log = PredictionLog(f"sqlite:///{folder}/log.db")
    found = log.read()
    log.close()
    return found


class Recording(Client):
    """A client that keeps what it has sent."""

    def __init__(self, *how):
        super().__init__(*how)
        self.sent = {"/predict": [], "/outcomes": []}

    def post(self, path, body):
        answered = super().post(path, body)
        self.sent[path].extend(body.values())
        return answered


def test_rows_are_asked_in_the_order_of_time_and_outcomes_told_when_they_are_known(serve, table, tmp_path):
    span = cut(table, CONTRACT, None, None)
    running = Replay(Client(serve().url, None, 60), span, CONTRACT, KEYS, most=500)
    for clock in running.run(DAY):
        found = logged(tmp_path)
        asked, told = found["input.order"], found.loc[found["outcome"].notna(), "input.order"]
        assert set(asked) == set(table.loc[table["when"] < clock + HOUR, "order"])
        assert set(told) == set(table.loc[table["when"] + DAY <= clock, "order"])
    found = logged(tmp_path)
    assert pd.to_datetime(found["input.when"]).dt.floor("h").is_monotonic_increasing
    assert found["input.when"].tolist() == [when.isoformat() for when in span.table["when"]]
    known = found.dropna(subset="outcome")
    assert known["outcome"].tolist() == table["answer"][known["input.order"].astype(int)].tolist()
    late = table["when"] + DAY > pd.Timestamp("2020-03-04")  # known after the last day has ended
    assert (running.answered, running.outcomes) == (len(table), (~late).sum())
    assert 0 < late.sum() < len(table)
    assert running.versions == {"1": len(table)}


def test_a_request_holds_inputs_and_keys_of_one_hour_and_never_the_target(serve, table):
    table.loc[:3, "answer"] = np.nan  # no outcome that could be told
    client = Recording(serve().url, None, 60)
    running = Replay(client, cut(table, CONTRACT, None, None), CONTRACT, [*KEYS, "answer"], most=3)
    for _ in running.run(pd.Timedelta(0)):
        pass
    for records in client.sent["/predict"]:
        assert 1 <= len(records) <= 3
        assert len({row["when"].floor("h") for row in records}) == 1
    rows = [row for records in client.sent["/predict"] for row in records]
    assert {tuple(row) for row in rows} == {(*CONTRACT.features, "order")}
    lacking = [row["order"] for row in rows if row["weight"] is None]
    assert sorted(lacking) == table.index[table["weight"].isna()].tolist()
    told = [outcome["outcome"] for outcomes in client.sent["/outcomes"] for outcome in outcomes]
    assert len(told) == len(table) - 4
    assert set(told) == {0, 1}


def test_rows_without_a_time_are_all_of_now_and_their_outcomes_follow(serve, table, tmp_path):
    timeless = CONTRACT.model_copy(update={"time": None})
    running = Replay(Client(serve().url, None, 60), cut(table, timeless, None, None), timeless, KEYS, most=500)
    for _ in running.run(DAY):
        pass
    found = logged(tmp_path)
    assert sorted(found["input.order"]) == list(range(len(table)))
    assert found["outcome"].tolist() == table["answer"][found["input.order"].astype(int)].tolist()
    assert (running.answered, running.outcomes) == (len(table), len(table))


def test_the_time_is_sent_also_where_it_is_no_feature(serve, table):
    contract = Contract.from_parameters(make_contract(time="moment"))
    client = Recording(serve().url, None, 60)
    span = cut(table.assign(moment=table["when"]), contract, None, None)
    for _ in Replay(client, span, contract, [], most=500).run(DAY):
        pass
    sent = {tuple(row) for rows in client.sent["/predict"] for row in rows}
    assert sent == {(*CONTRACT.features, "moment")}


def test_the_clock_runs_as_fast_as_is_said(serve):
    span = cut(make_table(4), CONTRACT, None, None)  # a row each 6 hours
    began, seen = time.monotonic(), []
    for clock in Replay(Client(serve().url, None, 60), span, CONTRACT, KEYS, 500).run(HOUR, speed=18 * 3600):
        seen.append(((clock - span.since) / HOUR / 18, time.monotonic() - began))
    assert len(seen) == 8
    assert all(due <= passed for due, passed in seen)
    assert seen[-1][1] < 5


def test_the_span_is_whole_days():
    table = make_table(40)
    first, last = pd.Timestamp("2020-01-03").to_pydatetime(), pd.Timestamp("2020-01-04").to_pydatetime()
    span = cut(table, CONTRACT, first, last)
    assert span.table["when"].tolist() == table["when"][8:16].tolist()
    assert (span.since, span.until) == (pd.Timestamp("2020-01-03"), pd.Timestamp("2020-01-05"))


def test_a_server_that_stops_half_way_loses_nothing_that_is_counted(serve, table, tmp_path):
    server = serve()
    running = Replay(Client(server.url, None, 60), cut(table, CONTRACT, None, None), CONTRACT, KEYS, 500)
    steps = running.run(DAY)
    for _ in range(20):
        next(steps)
    server.stop()
    with pytest.raises(requests.ConnectionError):
        list(steps)
    assert len(logged(tmp_path)) == running.answered > 0


def test_a_key_is_needed_where_the_server_has_one(serve):
    url = serve(api_key="secret ü").url
    for key in (None, "wrong"):
        with pytest.raises(RefusedError, match="an API key is needed") as refused:
            Client(url, key, 60).post("/predict", {"records": []})
        assert refused.value.status == 401
    assert Client(url, "secret ü", 60).post("/predict", {"records": []})["predictions"] == []
    with pytest.raises(RefusedError, match="Not Found"):
        Client(url, "secret ü", 60).post("/nowhere", {})


@pytest.fixture
def command(service, table, tmp_path, monkeypatch):
    """Calls `kedro replay` in a project of the small table; gives its exit code and what it says."""
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
        done = CliRunner().invoke(replay, arguments, obj=metadata)
        return done.exit_code, done.output

    return call


def test_what_can_not_be_replayed_is_told_in_a_line(command, table, tmp_path):
    def refused(*arguments, **contract):
        code, said = command("--url", "localhost:9", *arguments, **contract)
        assert code == 1
        return said.strip()

    assert refused() == (
        "Error: no server answers at http://localhost:9: start it with `kedro serve` in another terminal"
    )
    assert "no time to choose them by" in refused("--from", "2020-03-01", time=None)
    assert refused("--from", "2020-03-04") == (
        "Error: there are no rows on these days: the table has 2020-03-01 to 2020-03-03"
    )
    assert "lacks columns of the contract: hour, reply" in refused(time="hour", target="reply")
    assert "colour is str instead of a date-time" in refused(time="colour")
    table.head(0).to_parquet(tmp_path / "live.parquet")
    assert "has no rows" in refused()
    (tmp_path / "live.parquet").unlink()
    assert "live.parquet is missing. Run the pipeline that makes it" in refused()
    for option in ("--outcomes-after=-1h", "--outcomes-after=soon", "--speed=-1", "--from=yesterday"):
        assert command(option)[0] == 2


def test_without_a_time_the_next_step_is_told_without_days(command, serve):
    code, said = command("--url", serve().url, time=None)
    assert code == 0
    assert said.strip().endswith("Next: kedro run --pipeline=monitoring")


def test_the_key_comes_from_the_environment(command, serve, monkeypatch):
    url = serve(api_key="secret").url
    code, said = command("--url", url)
    assert code == 1
    assert "an API key is needed; it belongs into the environment variable THE_KEY" in said
    monkeypatch.setenv("THE_KEY", "secret")
    code, said = command("--url", url, "--from", "2020-03-02", "--outcomes-after", "0h")
    assert code == 0
    assert "not known by the end" in said
    assert said.strip().endswith("--pipeline=monitoring --params=since=2020-03-02,until=2020-03-04")


def test_a_server_that_dies_is_told_with_what_it_has_answered(command, serve, tmp_path):
    server = serve()
    threading.Timer(1.5, server.stop).start()
    code, said = command("--url", server.url, "--speed", str(24 * 3600 / 2))
    assert code == 1
    answered = int(re.search(r"Until then (\d+) rows were answered; they are in the prediction log", said)[1])
    assert len(logged(tmp_path)) == answered > 0
