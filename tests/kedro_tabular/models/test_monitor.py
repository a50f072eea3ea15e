"""`kedro models monitor`: the predictions of several models, one page and one message about them."""

import json
import re
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.log.records import LogContext, make_log_rows
from kedro_tabular.serving.parsing import rows_from_records

from ...conftest import run_kedro
from ...webhook import Endpoint
from ..lineage.adopted import run
from .test_train import adopted, copy  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow

TRAINED = ["green", "pooled", "red"]
PAGE, MONITOR = Path("data/08_reporting/models.html"), ["models", "monitor", "--all", "--jobs", "2"]
FIRST, SECOND, THIRD = (pd.Timestamp(2025, 1, day) for day in (8, 15, 22))  # ends of windows


@pytest.fixture(scope="module")
def trained(adopted, tmp_path_factory):  # noqa: F811
    """The project with three models, of which two will be served; blue is not trained."""
    project = copy(adopted, tmp_path_factory.mktemp("trained"))
    run(project, "models", "train", *TRAINED, "--jobs", "2")
    return project


@pytest.fixture
def endpoint(monkeypatch):
    endpoint = Endpoint()
    monkeypatch.setenv("ALERT_URLS", endpoint.url)
    yield endpoint
    endpoint.close()


@pytest.fixture(scope="module")
def served(trained):
    """With predictions of two models on rows like the reference, but of smaller sizes in the second of three weeks."""
    log = PredictionLog(f"sqlite:///{trained}/data/07_model_output/prediction_log.db")
    mlflow.set_tracking_uri(f"sqlite:///{trained}/mlflow.db")
    for model in ("green", "red"):
        champion = mlflow.pyfunc.load_model(f"models:/{model}@champion").unwrap_python_model()
        reference = pd.read_parquet(trained / "data" / "03_primary" / model / "calibration.parquet")
        for until, factor in ((FIRST, 1), (SECOND, 0.5), (THIRD, 1)):
            write(log, model, champion, reference, until, factor)
    log.close()
    mlflow.set_tracking_uri(None)
    return trained


def write(log, model, champion, reference, until, factor):
    """Predictions on the week before a time, with their outcomes."""
    times = pd.date_range(end=until, periods=29, freq="6h")[:-1].repeat(25)
    table = reference.sample(len(times), replace=True, random_state=until.day).assign(when=times)
    table["size"] *= factor
    records = json.loads(table.drop(columns="answer").to_json(orient="records", date_format="iso"))
    scores = {name: column.to_numpy() for name, column in champion.predict(table).items()}
    ids = [f"{model} {until:%d} {number}" for number in range(len(table))]
    rows = rows_from_records(records, "records", champion.contract, [])
    context = LogContext(ids, [None] * len(table), 2.0)
    log.append(make_log_rows(rows, scores, context, champion.contract, model, "1"))
    outcomes = zip(ids, table["answer"], strict=True)
    log.add_outcomes(
        model, [{"reference": f"id:{name}", "time": until, "outcome": str(answer)} for name, answer in outcomes]
    )


def monitor(project, until, *params):
    return run_kedro(project, *MONITOR, f"--params={','.join([f'until={until:%Y-%m-%d}', *params])}")


def rows_of(page):
    """The verdict on each model, in the order of the page."""
    return {model: verdict for verdict, model in re.findall(r'<tr class="(\w+)" id="(\w+)">', page)}


def test_three_models_are_one_page_and_one_message(served, endpoint):
    reporting = served / PAGE.parent
    endpoint.status = 500
    done = monitor(served, SECOND)
    assert done.returncode == 1
    assert "could not be delivered to all addresses in ALERT_URLS" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    endpoint.status = 200
    endpoint.received.clear()

    done = monitor(served, SECOND, "fail_on=alert")
    assert done.returncode == 1
    assert re.search(r"2 of 4 models have an alert:\n- green: size: .*\n- red: size: ", done.stderr)
    [message] = endpoint.received
    assert re.match(r"project: \d+ new in 2 models$", message["title"])
    assert "\n- drift of size in 2 of 4 models: green, red\n" in message["message"]
    assert message["message"].startswith("2025-01-08 00:00 to 2025-01-15 00:00 (UTC)")

    page = (served / PAGE).read_text(encoding="utf-8")
    assert rows_of(page) == {"green": "alert", "red": "alert", "blue": "none", "pooled": "none"}
    links = re.findall(r'href="([^"]+)"', page)
    assert links == ["green/monitoring.html", "red/monitoring.html"]
    assert all((reporting / link).is_file() for link in links)
    assert "100 a day, 700 in the window" in page
    assert not (reporting / "pooled" / "monitoring.log").exists()  # nothing to look at: no process
    assert not (reporting / "red" / "alerts.json").exists()

    listed = json.loads(run(served, "models", "--json").partition("]")[0] + "]")
    by_model = {one["model"]: one for one in listed}
    assert [one["model"] for one in listed[:2]] == ["blue", "green"]
    assert by_model["green"]["todo"] == "look at the alert"
    assert (by_model["red"]["monitoring"], by_model["red"]["rows_a_day"]) == ("alert", 100)
    assert by_model["red"]["pooled"] in ("better", "worse", "no clear difference")
    assert (by_model["pooled"]["pooled"], by_model["pooled"]["monitoring"]) == ("", "")

    assert monitor(served, SECOND).returncode == 0
    assert len(endpoint.received) == 1  # nothing has changed

    assert monitor(served, THIRD, "fail_on=alert").returncode == 0
    assert "in 2 models" in endpoint.received[1]["title"] and "recovered" in endpoint.received[1]["title"]
    assert "Recovered:\n" in endpoint.received[1]["message"]
    assert "- drift of size in 2 of 4 models: green, red\n" in endpoint.received[1]["message"]
    assert json.loads((reporting / "models.json").read_text()) == {}


def test_a_model_that_can_not_be_monitored_is_on_the_page_with_the_reason(served, tmp_path):
    project = copy(served, tmp_path)
    (project / "conf/models/blue/parameters.yml").write_text("monitoring: {min_rows: many}\n")
    log_of_copy = PredictionLog(f"sqlite:///{project}/data/07_model_output/prediction_log.db")
    log_of_copy.add_errors({"blue": {"timeout": 3}}, THIRD.to_pydatetime())
    log_of_copy.close()
    done = monitor(project, THIRD)
    assert done.returncode == 1
    assert "Error: 1 of 4 models failed:\n- blue: " in done.stderr and "min_rows" in done.stderr
    page = (project / PAGE).read_text(encoding="utf-8")
    assert rows_of(page) == {"blue": "failed", "green": "ok", "pooled": "none", "red": "ok"}
    assert "min_rows" in page
    done = run_kedro(project, *MONITOR, "--params=model=red")
    assert done.returncode == 2 and "say which models as NAME..." in done.stderr
