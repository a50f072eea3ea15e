"""Requests and responses of the service."""

import io
import json
import random

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kedro_tabular.contract import ReadOptions, read_table
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ...conftest import make_table
from .conftest import KEYS, Server, records

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
JSON = {"content-type": "application/json"}


def error_of(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()["error"]


def test_a_response_names_the_version_and_each_row(service):
    response = service.server.post("/predict", {"records": records(3)})
    payload = response.json()
    assert (payload["model"], payload["version"]) == ("small", "1")
    ids = [row["id"] for row in payload["predictions"]]
    request_id = response.headers["x-request-id"]
    assert ids == [f"{request_id}-{number}" for number in range(3)]
    assert sum(payload["predictions"][0]["probability"].values()) == pytest.approx(1)


def test_a_wrong_query_parameter_is_named(service):
    error = error_of(service.server.post("/predict?explain=maybe", {"records": []}), 422)
    assert (error["code"], error["field"]) == ("invalid_query", "query.explain")


def test_explanations_are_returned_on_request(service):
    explained = service.server.post("/predict?explain=true", {"records": records(2)}).json()
    for row in explained["predictions"]:
        explanation = row["explanation"]
        total = explanation["base"] + sum(explanation["contributions"].values())
        assert total == pytest.approx(explanation["output"])
    plain = service.server.post("/predict", {"records": records(2)}).json()
    assert "explanation" not in plain["predictions"][0]


def test_a_wrong_value_is_predicted_by_the_fallback_with_its_reason(service):
    (row,) = service.server.post("/predict", {"records": records(1, size="big")}).json()["predictions"]
    assert (row["source"], row["reasons"]) == ("fallback", ["wrong_type:size=big"])


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "field"),
    [
        (b"", JSON, 400, "invalid_json", None),
        (b"{", JSON, 400, "invalid_json", None),
        (b'{"records": "\xff\xfe"}', JSON, 400, "invalid_json", None),
        (b"[" * 100_000, JSON, 400, "invalid_json", None),
        (b"[]", JSON, 422, "invalid_body", "body"),
        (b"{}", JSON, 422, "invalid_body", "records"),
        (b'{"records": {}}', JSON, 422, "invalid_body", "records"),
        (b'{"records": [{}, 3]}', JSON, 422, "invalid_body", "records[1]"),
        (json.dumps({"records": [{}] * 501}).encode(), JSON, 413, "too_many_rows", "body"),
        (b'{"records": [' + b" " * 1_000_001, JSON, 413, "too_large", "body"),
    ],
)
def test_a_body_that_is_not_valid_is_refused_with_the_field_and_what_is_expected(
    service, body, headers, status, code, field
):
    error = error_of(service.server.post("/predict", data=body, headers=headers), status)
    assert (error["code"], error.get("field")) == (code, field)
    assert "Traceback" not in json.dumps(error)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code", "field"),
    [
        (b"{}", "application/json", 422, "invalid_body", "body"),
        (b'{"inputs": 1, "instances": 1}', "application/json", 422, "invalid_body", "body"),
        (b'{"inputs": {"size": [1], "town": []}}', "application/json", 422, "invalid_body", "inputs"),
        (b'{"inputs": {"size": 1}}', "application/json", 422, "invalid_body", "inputs"),
        (b'{"instances": [1]}', "application/json", 422, "invalid_body", "instances"),
        (b'{"instances": [[1]]}', "application/json", 422, "invalid_body", "instances[0]"),
        (b'{"dataframe_records": [{"size": 1}]}', "application/json", 422, "missing_columns", "colour"),
        (b'{"dataframe_split": []}', "application/json", 422, "invalid_body", "dataframe_split"),
        (
            b'{"dataframe_split": {"columns": ["a", "a"], "data": []}}',
            "application/json",
            422,
            "invalid_body",
            "columns",
        ),
        (b'{"inputs": [], "params": 1}', "application/json", 422, "invalid_body", "params"),
        (b"", "text/csv", 400, "invalid_body", "body"),
        (b"\xff\xfe", "text/csv", 400, "invalid_body", "body"),
        (b"size\n" + b"1\n" * 600, "text/csv", 413, "too_many_rows", "body"),
        (b"PAR1nothing", "application/vnd.apache.parquet", 400, "invalid_body", "body"),
        (b"<a/>", "text/xml", 415, "unsupported_media_type", "content-type"),
        (b"{}", "application/json; charset=latin-1", 415, "unsupported_charset", "content-type"),
    ],
)
def test_invocations_that_are_not_valid_are_refused_too(service, body, content_type, status, code, field):
    response = service.server.post("/invocations", data=body, headers={"content-type": content_type})
    error = error_of(response, status)
    assert (error["code"], error.get("field")) == (code, field)


def test_a_parquet_file_of_too_many_rows_is_refused_before_it_is_decoded(service):
    body = pd.DataFrame({"size": [0.0] * 5_000_000}).to_parquet()
    assert len(body) < 1_000_000
    headers = {"content-type": "application/vnd.apache.parquet"}
    response = service.server.post("/invocations", data=body, headers=headers)
    assert error_of(response, 413)["code"] == "too_many_rows"


def test_columns_of_a_parquet_file_that_are_not_needed_are_not_decoded(service):
    rows = records(3, order=8)
    nested = [[{"number": number} for number in range(20_000)]] * len(rows)
    file = io.BytesIO()
    table = pa.Table.from_pandas(pd.DataFrame(rows).set_index("order").assign(more=nested))
    pq.write_table(table, file, compression="none", use_dictionary=False)
    body = bytearray(file.getvalue())
    chunk = pq.read_metadata(file).row_group(0).column(table.schema.get_field_index("more"))
    assert chunk.path_in_schema.startswith("more.")
    start = chunk.data_page_offset
    body[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    with pytest.raises(OSError, match="page"):  # where all columns are decoded
        read_table(io.BytesIO(body), ".parquet", ReadOptions())
    headers = {"content-type": "application/vnd.apache.parquet"}
    response = service.server.post("/invocations", data=bytes(body), headers=headers)
    assert response.status_code == 200, response.text
    payload = response.json()
    assert payload.pop("unknown_fields") == [{"field": "more", "near": None}]
    assert payload == service.server.post("/invocations", {"dataframe_records": rows}).json()
    assert service.logged()["input.order"].tolist()[-6:] == [8] * 6


def test_the_rows_of_a_csv_are_counted_not_its_lines(service):
    table = pd.DataFrame(records(500, town="a\nb\r\nc"))
    headers = {"content-type": "text/csv"}
    body = table.to_csv(index=False, lineterminator="\n\n")
    response = service.server.post("/invocations", data=body, headers=headers)
    assert response.status_code == 200, response.text
    assert len(response.json()["predictions"]) == 500
    more = pd.concat([table, table.head(1)]).to_csv(index=False)
    assert error_of(service.server.post("/invocations", data=more, headers=headers), 413)["code"] == "too_many_rows"


def test_too_many_rows_to_explain_are_refused(service):
    response = service.server.post("/predict?explain=true", {"records": records(21)})
    assert error_of(response, 413)["expected"] == "20 rows or less"


def test_a_body_without_a_length_is_read_up_to_the_limit_only(service):
    def endless():
        for _ in range(1000):
            yield b" " * 10_000

    response = service.server.post("/predict", data=endless(), headers=JSON)
    assert error_of(response, 413)["code"] == "too_large"


@pytest.mark.parametrize("path", ["/nope", "/predict"])
def test_unknown_paths_and_methods_are_json_errors(service, path):
    error_of(service.server.get(path), 404 if path == "/nope" else 405)


def test_all_paths_but_those_of_probes_need_the_api_key(service):
    protected = Server(service.settings, service.deployment, api_key="secret ü")
    try:
        assert protected.get("/health").status_code == protected.get("/ready").status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "secret"}):
            response = protected.post("/predict", {"records": records(1)}, headers=headers)
            assert error_of(response, 401)["code"] == "unauthorized"
            assert protected.get("/metrics").status_code == 401
        assert protected.get("/docs").status_code == 200  # where the key can be entered
        assert protected.get("/openapi.json").json()["security"] == [{"key": []}]
        key = {"authorization": "Bearer secret ü".encode()}
        assert protected.post("/predict", {"records": records(1)}, headers=key).status_code == 200
    finally:
        protected.stop()


def test_the_metrics_count_rows_requests_and_errors(service):
    def read():
        lines = service.server.get("/metrics").text.splitlines()
        return {name: float(value) for name, value in (ln.rsplit(" ", 1) for ln in lines if ln[0] != "#")}

    before = read()
    service.server.post("/predict", {"records": records(3) + records(2, size=-1)})
    service.server.post("/predict", {"records": 1})
    after = read()
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown['rows_total{model="small",source="model"}'] == 3
    assert grown['rows_total{model="small",source="fallback"}'] == 2
    assert grown['reasons_total{code="out_of_range",model="small",source="fallback"}'] == 2
    assert grown['requests_total{path="/predict",status="200"}'] == 1
    assert grown['errors_total{code="invalid_body",model="small"}'] == 1
    assert grown['request_seconds_count{path="/predict"}'] == 2
    assert sum(value for name, value in grown.items() if name.startswith("predictions_total")) == 5
    assert after['model_version{model="small",version="1"}'] == after["registry_reachable"] == 1


def test_the_example_of_the_schema_works(service):
    schema = service.server.get("/openapi.json").json()["components"]["schemas"]
    (example,) = schema["Rows"]["properties"]["records"]["examples"]
    assert set(schema["Row"]["properties"]) == {*service.model.contract.features, "id"}
    [prediction] = service.server.post("/predict", {"records": example}).json()["predictions"]
    codes = {reason.partition(":")[0] for reason in prediction["reasons"]}
    assert not codes & {"missing", "wrong_type", "out_of_range"}
    real = make_table(3)["size"][0]  # of the input example of the version
    assert example[0]["size"] != real and str(real) not in service.server.get("/openapi.json").text
    assert "cdn" not in service.server.get("/docs").text  # it works offline


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.data())
def test_any_request_of_the_schema_gets_a_response_of_the_schema(service, data):
    schema = schemathesis.openapi.from_dict(service.server.get("/openapi.json").json())
    operations = [operation.ok() for operation in schema.get_all_operations()]
    operation = data.draw(st.sampled_from(operations))
    case = data.draw(operation.as_strategy())
    case.call_and_validate(base_url=service.server.url, checks=CHECKS)


def mutate(rng):
    """A body with errors, and its content type."""
    body = {"records": records(rng.randrange(1, 4))}
    wrong = ["", "x" * 5000, -1, 10**400, 1e308, float("nan"), float("inf"), True, None, [], {}, [[]], "\u0000"]
    for _ in range(rng.randrange(4)):
        row = rng.choice(body["records"])
        row[rng.choice([*row, "more", ""])] = rng.choice(wrong)
    text = json.dumps(body).encode()
    content_type = rng.choice(["application/json"] * 5 + ["text/csv", "", "application/vnd.apache.parquet"])
    mutation = rng.randrange(8)
    if mutation == 0:
        text = text[: rng.randrange(len(text))]
    elif mutation == 1:
        position = rng.randrange(len(text))
        text = text[:position] + bytes([rng.randrange(256)]) + text[position + 1 :]
    elif mutation == 2:
        depth = rng.choice([10, 1000, 50_000])
        text = b'{"records": [{"size": ' + b"[" * depth + b"]" * depth + b"}]}"
    elif mutation == 3:
        text = json.dumps({rng.choice(["records", "inputs", "instances"]): rng.choice(wrong)}).encode()
    return text, content_type


def test_no_mutated_request_fails_the_service_and_each_prediction_is_in_the_log(service, request):
    rng, ids = random.Random(7), []
    before = set(service.logged()["id"])
    for _ in range(request.config.getoption("--mutations")):
        body, content_type = mutate(rng)
        path = rng.choice(["/predict", "/predict", "/predict?explain=true", "/invocations", "/outcomes"])
        response = service.server.post(path, data=body, headers={"content-type": content_type} if content_type else {})
        assert response.status_code < 500, (path, body[:500], response.text)
        if response.status_code == 200 and path != "/outcomes":
            request_id, rows = response.headers.get("x-request-id"), response.json()["predictions"]
            ids += [f"{request_id}-{number}" for number in range(len(rows))]
        elif response.status_code != 200:
            assert set(response.json()) == {"error"}
            assert "Traceback" not in response.text and "/src/" not in response.text
    logged = service.logged()["id"].tolist()
    assert sorted(set(logged) - before) == sorted(ids)
    assert len(logged) == len(set(logged))
    assert ids


def test_a_hundred_megabytes_are_refused_and_the_service_goes_on(service):
    response = service.server.post("/predict", data=b" " * 100_000_000, headers=JSON)
    assert error_of(response, 413)["code"] == "too_large"
    assert service.server.get("/health").status_code == 200


def test_outcomes_find_their_predictions_by_id_and_by_key(service):
    rows = records(3, order=17)
    predictions = service.server.post("/predict", {"records": rows}).json()["predictions"]
    key = {name: rows[1][name] for name in KEYS}
    outcomes = [
        {"id": predictions[0]["id"], "outcome": 1},
        {"key": key | {"order": 17.0}, "outcome": 0},  # 17 or 17.0
        {"id": "never given", "outcome": 1},
    ]
    response = service.server.post("/outcomes", {"outcomes": outcomes})
    assert response.json() == {"stored": 3, "without_prediction": 1}
    service.server.post("/outcomes", {"outcomes": [{"id": predictions[0]["id"], "outcome": 0}]})  # a correction
    logged = service.logged().set_index("id").loc[[row["id"] for row in predictions]]
    assert logged["outcome"].fillna(-1).tolist() == [0, 0, -1]
    assert logged["input.order"].tolist() == [17] * 3
    for wrong, field in (
        ({}, "outcomes"),
        ({"outcomes": [{"id": "a"}]}, "outcomes.0.outcome"),
        ({"outcomes": [{"outcome": 1}]}, "outcomes.0"),
        ({"outcomes": [{"key": {"colour": "red"}, "outcome": 1}]}, "outcomes.0"),
    ):
        assert error_of(service.server.post("/outcomes", wrong), 422)["field"].startswith(field)


def test_a_timeout_is_reported_and_the_next_request_is_predicted(service):
    impatient = service.settings.model_copy(
        update={"limits": service.settings.limits.model_copy(update={"seconds": 1e-4})}
    )
    server = Server(impatient, service.deployment)
    try:
        response = server.post("/predict", {"records": records(400)})
        assert error_of(response, 503)["code"] == "timeout"
        assert server.get("/health").status_code == 200
    finally:
        server.stop()
    assert service.server.post("/predict", {"records": records(1)}).status_code == 200
