"""The time of a request: converted to the contract's time zone, and stored as that of the event."""

import io
import json
from datetime import datetime

import mlflow
import pandas as pd
import pytest
from kedro_tabular.monitoring import RowSelection, Window
from kedro_tabular.serving.log.logged_rows import LoggedRows
from kedro_tabular.serving.log.prediction_log import PredictionLog

from ...conftest import fit_packaged
from .conftest import records, start

BERLIN = {"2024-10-26T22:30:00Z": "2024-10-27T00:30:00", "2024-10-27T01:30:00+00:00": "2024-10-27T02:30:00"}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The service of a model whose rows have the time of an event, which is no feature and no key."""
    model = fit_packaged("binary")
    model.contract = model.contract.model_copy(update={"timezone": "Europe/Berlin", "time": "seen"})
    folder = tmp_path_factory.mktemp("service")
    log = {"url": f"sqlite:///{folder}/log.db", "keys": ["when", "order"]}
    running = start(folder, model, log=log)
    yield running
    running.server.stop()
    mlflow.end_run()


def post(service, rows, body_format):
    """Rows, in one of the formats of the service."""
    table = pd.DataFrame(rows)
    if body_format == "records":
        return service.server.post("/predict", {"records": rows})
    if body_format == "split":
        split = json.loads(table.to_json(orient="split", index=False))
        return service.server.post("/invocations", {"dataframe_split": split})
    body, media_type = table.to_csv(index=False).encode(), "text/csv"
    if body_format.startswith("parquet"):
        media_type, file = "application/vnd.apache.parquet", io.BytesIO()
        if body_format == "parquet with types":
            table = table.assign(**{name: pd.to_datetime(table[name], utc=True) for name in ("when", "seen")})
        table.to_parquet(file)
        body = file.getvalue()
    return service.server.post("/invocations", data=body, headers={"content-type": media_type})


@pytest.mark.parametrize("body_format", ["records", "split", "csv", "parquet", "parquet with types"])
def test_times_with_a_time_zone_are_converted_in_all_formats(service, body_format):
    given, converted = (
        [row | {"when": time, "seen": time, "order": n} for row, time, n in zip(records(2), times, (7, 8), strict=True)]
        for times in (BERLIN.keys(), BERLIN.values())
    )
    expected = service.server.post("/predict", {"records": converted}).json()["predictions"]
    response = post(service, given, body_format)
    assert response.status_code == 200, response.text
    predictions = response.json()["predictions"]
    assert [(row["prediction"], row["reasons"]) for row in predictions] == [
        (row["prediction"], row["reasons"]) for row in expected
    ]
    assert "unknown_fields" not in response.json()
    logged = service.logged().tail(2)
    in_utc = ["2024-10-26T22:30:00", "2024-10-27T00:30:00"]  # the first of the two hours that are 2 o'clock
    assert logged["event_time"].tolist() == [pd.Timestamp(time) for time in in_utc]
    assert logged["key"].tolist() == [f'["{time}",{n}]' for time, n in zip(BERLIN.values(), (7, 8), strict=True)]


def test_an_outcome_finds_its_prediction_by_a_key_in_another_time_zone(service):
    rows = records(1, when="2024-07-01T12:00:00", order=99)
    (prediction,) = service.server.post("/predict", {"records": rows}).json()["predictions"]
    outcome = {"key": {"when": "2024-07-01T10:00:00Z", "order": 99}, "outcome": 1}
    assert service.server.post("/outcomes", {"outcomes": [outcome]}).json()["without_prediction"] == 0
    assert service.logged().set_index("id")["outcome"][prediction["id"]] == 1


def test_an_outcome_of_a_key_belongs_to_the_last_event_before_it_in_any_time_zone(service):
    key = {"when": "2024-07-02T00:00:00", "order": 1}
    rows = [records(1, **key, seen=seen)[0] for seen in ("2024-07-02T12:00:00", "2024-07-02T14:00:00")]
    predictions = service.server.post("/predict", {"records": rows}).json()["predictions"]
    outcome = {"key": key, "outcome": 1, "outcome_time": "2024-07-02T13:00:00Z"}  # an hour after the second one
    service.server.post("/outcomes", {"outcomes": [outcome]})
    outcomes = service.logged().set_index("id")["outcome"]
    assert outcomes.isna()[predictions[0]["id"]]
    assert outcomes[predictions[1]["id"]] == 1


def test_monitoring_reads_the_log_in_the_time_zone(service):
    service.server.post("/predict", {"records": records(1, seen="2024-01-01T00:30:00")})  # the day before, in UTC
    model = service.model
    window = Window(datetime(2024, 1, 1), datetime(2024, 1, 2), model.contract.zone)
    later = Window(datetime(2024, 1, 2), datetime(2024, 1, 3), model.contract.zone)
    log = PredictionLog(service.settings.log.url)
    logged = LoggedRows(log)
    assert logged.summarize("small", window).rows == {"1": 1}
    assert logged.summarize("small", later).last_before == datetime(2024, 1, 1, 0, 30)
    rows = logged.read(RowSelection("small", "1", window, 1.0), model.contract, list(model.classes))
    log.close()
    assert rows["event_time"].to_pylist() == [datetime(2024, 1, 1, 0, 30)]


def test_rows_without_a_time_have_the_present_time(service):
    service.server.post("/predict", {"records": records(1)})
    now = pd.Timestamp.now("UTC").tz_localize(None)
    assert abs(service.logged()["event_time"].iloc[-1] - now) < pd.Timedelta(minutes=10)


def test_the_time_is_in_the_schema_of_requests(service):
    row = service.server.get("/openapi.json").json()["components"]["schemas"]["Row"]
    assert set(row["properties"]) == {*service.model.contract.features, "seen", "id"}
    assert "seen" not in row["required"]
