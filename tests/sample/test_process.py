"""`kedro serve` as a process, on a model of the flights: the pages' examples, kill -9 and a graceful end."""

import json
import shlex
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import suppress

import pandas as pd
import pytest
import requests
import yaml
from kedro_tabular.serving.log.prediction_log import PredictionLog

from ..conftest import ROOT, fail, run_kedro
from ..processes import serving

pytestmark = pytest.mark.slow

LOG = "data/07_model_output/prediction_log.db"


@pytest.fixture(scope="module")
def project(tmp_path_factory, copy_trained):
    return copy_trained(tmp_path_factory.mktemp("here") / "project")


@pytest.fixture(scope="module")
def rows(project):
    """The live flights as JSON records."""
    table = pd.read_parquet(project / "data/03_primary/live.parquet").head(50)
    return json.loads(table.drop(columns="late").to_json(orient="records", date_format="iso", date_unit="s"))


def logged(project):
    log = PredictionLog(f"sqlite:///{project / LOG}")
    found = log.read()
    log.close()
    return found


def examples():
    """The commands of curl in README and docs/serving.md, each as a list of arguments."""
    command = ""
    pages = [(ROOT / page).read_text() for page in ("README.md", "docs/serving.md")]
    for line in "\n".join(pages).splitlines():
        if command or line.startswith("    curl"):
            command += line + "\n"
            with suppress(ValueError):  # a quotation goes on in the next line
                yield shlex.split(command, comments=True)
                command = ""


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_examples_of_the_pages_answer(project):
    live = pd.read_parquet(project / "data/03_primary/live.parquet")
    live.head(3).to_csv(project / "rows.csv", index=False)
    found = list(examples())
    assert len(found) >= 8
    with serving(project) as (_, url):
        for command in found:
            arguments = [part.replace("localhost:8000", url) for part in command]
            arguments.append("--fail-with-body")
            done = subprocess.run(arguments, cwd=project, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_killed_under_load_every_answer_that_a_client_got_is_in_the_log(project, rows):
    got = []

    def ask(url):
        session = requests.Session()
        while True:
            try:
                told = session.post(f"{url}/predict", json={"records": rows[:5]}, timeout=60)
            except requests.ConnectionError:
                return
            got.extend(row["id"] for row in told.json()["predictions"])

    with serving(project) as (process, url):
        clients = [threading.Thread(target=ask, args=(url,)) for _ in range(6)]
        for client in clients:
            client.start()
        time.sleep(2)
        process.send_signal(signal.SIGKILL)
        for client in clients:
            client.join()
    assert len(got) > 100
    with sqlite3.connect(project / LOG) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert set(got) <= set(logged(project)["id"])


def test_two_processes_count_together_finish_what_they_accepted_and_outcomes_come_by_file(project, rows):
    before = len(logged(project))
    with serving(project, "--workers", "2") as (process, url):
        for number in range(20):
            requests.post(f"{url}/predict", json={"records": [rows[number]]}, timeout=60)
        metrics = requests.get(f"{url}/metrics", timeout=60).text
        assert 'rows_total{model="flight_delay",source="model"} 20.0' in metrics
        answered = []
        many = {"dataframe_records": rows * 100}
        slow = threading.Thread(
            target=lambda: answered.append(requests.post(f"{url}/invocations", json=many, timeout=60))
        )
        slow.start()
        time.sleep(0.3)
        process.terminate()
        slow.join()
        process.wait(timeout=30)
    assert answered[0].status_code == 200
    assert len(answered[0].json()["predictions"]) == 5000
    assert len(logged(project)) == before + 20 + 5000

    table = pd.read_parquet(project / "data/03_primary/live.parquet").head(20)
    table.to_csv(project / "outcomes.csv", index=False)
    told = run_kedro(project, "outcomes", "outcomes.csv")
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == "20 outcomes stored, 0 of them without a prediction so far"
    found = logged(project).dropna(subset="outcome")  # of the last request: 100 predictions of each row
    keys = ["carrier", "tailnum", "origin", "dest"]
    joined = table.merge(found, left_on=keys, right_on=[f"input.{key}" for key in keys])
    assert len(found) == len(joined) == 2000
    assert joined["outcome"].tolist() == joined["late"].tolist()
    table.drop(columns="dest").to_csv(project / "outcomes.csv", index=False)
    assert "it lacks dest" in fail(project, "outcomes", "outcomes.csv")


def test_live_flights_are_replayed(project):
    before = len(logged(project))
    days = ["--from", "2013-11-04", "--to", "2013-11-06", "--outcomes-after", "12h"]
    with serving(project) as (_, url):
        told = run_kedro(project, "replay", "--url", url, *days)
    assert told.returncode == 0, told.stderr
    table = pd.read_parquet(project / "data/03_primary/live.parquet").set_index("scheduled_departure")
    rows = table.sort_index(kind="stable").loc["2013-11-04":"2013-11-06"]
    known = rows.loc[:"2013-11-06 12:00"]
    assert told.stdout.splitlines() == [
        f"{len(rows)} rows predicted: {len(rows)} by version 1; 0 of them by the fallback. "
        f"{len(known)} outcomes sent, {len(rows) - len(known)} not known by the end.",
        "Next: kedro run --pipeline=monitoring --params=since=2013-11-04,until=2013-11-07",
    ]
    found = logged(project).iloc[before:]
    assert found["input.tailnum"].tolist() == rows["tailnum"].tolist()
    assert found["outcome"].dropna().tolist() == known["late"].tolist()


def test_what_can_not_be_served_is_told_in_a_line(project):
    wrong = run_kedro(project, "serve", "--model", "nobody")
    assert wrong.returncode == 1
    assert "has no version or alias 'nobody'" in wrong.stderr
    local = project / "conf/local/parameters_serving.yml"
    settings = yaml.safe_load((project / "conf/base/parameters_serving.yml").read_text())
    settings["serving"]["limits"]["rows"] = 0
    local.write_text(yaml.safe_dump(settings))
    refused = run_kedro(project, "serve")
    local.unlink()
    assert refused.returncode == 1
    assert "serving.limits.rows" in refused.stderr
    assert "Traceback" not in wrong.stderr + refused.stderr
