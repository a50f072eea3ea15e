"""Fields of requests that are no column are told, counted, refused or ignored."""

import io
import json

import pandas as pd
import pytest

from .conftest import Server, records
from .test_requests import error_of


def metrics_of(server):
    lines = [line for line in server.get("/metrics").text.splitlines() if line.startswith("unknown_fields_total")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@pytest.fixture
def serve(service):
    """Starts servers of the same model with other settings."""
    started = []

    def serve(unknown_fields):
        settings = service.settings.model_copy(update={"unknown_fields": unknown_fields})
        started.append(Server(settings, service.deployment))
        return started[-1]

    yield serve
    for server in started:
        server.stop()


def misspelt(n_rows):
    return [
        {("Colour " if name == "colour" else name): value for name, value in row.items()} for row in records(n_rows)
    ]


def test_a_misspelt_field_is_told_with_the_column_of_a_similar_name(service):
    rows = [row | {"weigth": 1, "zzz": 2} for row in records(2)]
    payload = service.server.post("/predict", {"records": rows}).json()
    assert payload["unknown_fields"] == [{"field": "weigth", "near": "weight"}, {"field": "zzz", "near": None}]
    assert len(payload["predictions"]) == 2
    assert "unknown_fields" not in service.server.post("/predict", {"records": records(2, order=7)}).json()


@pytest.mark.parametrize("body_format", ["records", "split", "inputs", "csv", "parquet"])
def test_misspelt_columns_of_all_formats_are_told(service, body_format):
    table = pd.DataFrame(records(3)).assign(WEIGHT=1.0, order=7)
    split = json.loads(table.to_json(orient="split", index=False))
    json_bodies = {
        "records": {"dataframe_records": json.loads(table.to_json(orient="records"))},
        "split": {"dataframe_split": split},
        "inputs": {"inputs": dict(zip(split["columns"], zip(*split["data"], strict=True), strict=True))},
    }
    if body_format in json_bodies:
        response = service.server.post("/invocations", json_bodies[body_format])
    else:
        body, media_type = table.to_csv(index=False), "text/csv"
        if body_format == "parquet":
            file = io.BytesIO()
            table.to_parquet(file)
            body, media_type = file.getvalue(), "application/vnd.apache.parquet"
        response = service.server.post("/invocations", data=body, headers={"content-type": media_type})
    assert response.status_code == 200, response.text
    assert response.json()["unknown_fields"] == [{"field": "WEIGHT", "near": "weight"}]


def test_the_number_of_names_in_a_response_and_of_labels_in_the_metrics_is_limited(service):
    before = metrics_of(service.server)
    (row,) = records(1)
    row |= {f"zzz{number}" + "x" * 1000: number for number in range(300)} | {"sizes": 1}
    payload = service.server.post("/predict", {"records": [row]}).json()
    assert len(payload["unknown_fields"]) == 10
    assert max(len(field["field"]) for field in payload["unknown_fields"]) == 60
    assert service.server.post("/predict", {"records": records(1, sizes=1)}).status_code == 200
    after = metrics_of(service.server)
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown['unknown_fields_total{model="small",near=""}'] == 301
    assert grown['unknown_fields_total{model="small",near="size"}'] == 1
    assert set(after) <= {
        f'unknown_fields_total{{model="small",near="{name}"}}' for name in ("", *service.model.contract.features)
    }


def test_unknown_fields_are_refused_on_request_and_nothing_is_predicted(service, serve):
    server, before = serve("refuse"), len(service.logged())
    rows = misspelt(2)
    error = error_of(server.post("/predict", {"records": rows}), 422)
    assert error["code"] == "unknown_fields"
    assert error["message"] == "unknown fields: 'Colour ' (is it 'colour'?)"
    assert (error["field"], error["expected"]) == ("Colour ", "colour")
    assert error_of(server.post("/invocations", {"dataframe_records": rows}), 422)["code"] == "unknown_fields"
    assert len(service.logged()) == before
    assert server.post("/predict", {"records": records(2, order=7)}).status_code == 200


def test_unknown_fields_are_ignored_on_request(serve):
    server = serve("ignore")
    payload = server.post("/predict", {"records": misspelt(2)}).json()
    assert set(payload) == {"model", "version", "predictions"}
    assert metrics_of(server) == {}


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/predict", {"records": records(1), "explian": True}, ("explian", "?explain")),
        ("/predict", {"records": records(1), "explain": True}, ("explain", "?explain")),
        ("/invocations", {"instances": records(1), "parms": {"explain": True}}, ("parms", "params")),
        ("/invocations", {"instances": records(1), "params": {"explian": True}}, ("explian", "explain")),
        ("/outcomes", {"outcomes": [], "modle": "x"}, ("modle", None)),
    ],
)
def test_misspelt_fields_of_the_body_are_told_or_refused(service, serve, path, body, told):
    payload = service.server.post(path, body).json()
    assert payload["unknown_fields"] == [dict(zip(("field", "near"), told, strict=True))]
    error = error_of(serve("refuse").post(path, body), 422)
    assert (error["code"], error["field"], error.get("expected")) == ("unknown_fields", *told)
    assert "unknown_fields" not in serve("ignore").post(path, body).json()


@pytest.mark.parametrize(
    ("path", "misspelt", "meant"),
    [
        ("/predict", "recrods", "records"),
        ("/invocations", "dataframe_record", "dataframe_records"),
        ("/outcomes", "outcome", "outcomes"),
    ],
)
def test_a_body_whose_field_is_misspelt_is_refused_with_its_name(service, path, misspelt, meant):
    error = error_of(service.server.post(path, {misspelt: records(1)}), 422)
    assert (error["code"], error["field"], error["expected"]) == ("invalid_body", misspelt, meant)
    assert f"is {misspelt!r} meant to be {meant!r}?" in error["message"]
