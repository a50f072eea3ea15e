"""What a client may send, and what it is told."""

import json
import random

import pandas as pd
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .conftest import KEYS, Server, records

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
JSON = {"content-type": "application/json"}


def error_of(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()["error"]


def test_an_answer_names_the_version_and_each_row(service):
    response = service.server.post("/predict", {"records": records(3)})
    told = response.json()
    assert (told["model"], told["version"]) == ("small", "1")
    identifiers = [row["id"] for row in told["predictions"]]
    request = response.headers["x-request-id"]
    assert identifiers == [f"{request}-{number}" for number in range(3)]
    assert sum(told["predictions"][0]["probability"].values()) == pytest.approx(1)


def test_a_wrong_query_is_told_by_its_name(service):
    error = error_of(service.server.post("/predict?explain=maybe", {"records": []}), 422)
    assert (error["code"], error["field"]) == ("invalid_query", "query.explain")


def test_explanations_come_when_asked_for(service):
    told = service.server.post("/predict?explain=true", {"records": records(2)}).json()
    for row in told["predictions"]:
        why = row["explanation"]
        assert why["base"] + sum(why["contributions"].values()) == pytest.approx(why["output"])
    plain = service.server.post("/predict", {"records": records(2)}).json()
    assert "explanation" not in plain["predictions"][0]


def test_a_wrong_value_is_answered_by_the_fallback_with_its_reason(service):
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
def test_what_can_not_be_read_is_refused_with_the_field_and_what_was_expected(
    service, body, headers, status, code, field
):
    error = error_of(service.server.post("/predict", data=body, headers=headers), status)
    assert (error["code"], error.get("field")) == (code, field)
    assert "Traceback" not in json.dumps(error)


@pytest.mark.parametrize(
    ("body", "kind", "status", "code", "field"),
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
def test_invocations_that_can_not_be_read_are_refused_too(service, body, kind, status, code, field):
    response = service.server.post("/invocations", data=body, headers={"content-type": kind})
    error = error_of(response, status)
    assert (error["code"], error.get("field")) == (code, field)


def test_a_parquet_file_of_too_many_rows_is_refused_before_it_is_unpacked(service):
    body = pd.DataFrame({"size": [0.0] * 5_000_000}).to_parquet()
    assert len(body) < 1_000_000
    headers = {"content-type": "application/vnd.apache.parquet"}
    response = service.server.post("/invocations", data=body, headers=headers)
    assert error_of(response, 413)["code"] == "too_many_rows"


def test_too_many_rows_to_explain_are_refused(service):
    response = service.server.post("/predict?explain=true", {"records": records(21)})
    assert error_of(response, 413)["expected"] == "20 rows or less"


def test_a_body_without_a_length_is_read_no_further_than_allowed(service):
    def endless():
        for _ in range(1000):
            yield b" " * 10_000

    response = service.server.post("/predict", data=endless(), headers=JSON)
    assert error_of(response, 413)["code"] == "too_large"


@pytest.mark.parametrize("path", ["/nope", "/predict"])
def test_paths_and_methods_that_are_not_there_are_told_in_json(service, path):
    error_of(service.server.get(path), 404 if path == "/nope" else 405)


def test_only_the_key_opens_all_but_what_probes_ask(service):
    guarded = Server(service.settings, service.deployment, api_key="secret ü")
    try:
        assert guarded.get("/health").status_code == guarded.get("/ready").status_code == 200
        for how in ({}, {"authorization": "Bearer wrong"}, {"authorization": "secret"}):
            response = guarded.post("/predict", {"records": records(1)}, headers=how)
            assert error_of(response, 401)["code"] == "unauthorized"
            assert guarded.get("/metrics").status_code == 401
        assert guarded.get("/docs").status_code == 200  # where the key can be entered
        assert guarded.get("/openapi.json").json()["security"] == [{"key": []}]
        key = {"authorization": "Bearer secret ü".encode()}
        assert guarded.post("/predict", {"records": records(1)}, headers=key).status_code == 200
    finally:
        guarded.stop()


def test_the_metrics_count_what_was_answered(service):
    def read():
        lines = service.server.get("/metrics").text.splitlines()
        return {name: float(value) for name, value in (ln.rsplit(" ", 1) for ln in lines if ln[0] != "#")}

    before = read()
    service.server.post("/predict", {"records": records(3) + records(2, size=-1)})
    service.server.post("/predict", {"records": 1})
    after = read()
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown['rows_total{source="model"}'] == 3
    assert grown['rows_total{source="fallback"}'] == 2
    assert grown['reasons_total{code="out_of_range",source="fallback"}'] == 2
    assert grown['requests_total{path="/predict",status="200"}'] == 1
    assert grown['errors_total{code="invalid_body"}'] == 1
    assert grown['request_seconds_count{path="/predict"}'] == 2
    assert sum(value for name, value in grown.items() if name.startswith("predictions_total")) == 5
    assert after['model_version{model="small",version="1"}'] == after["registry_reachable"] == 1


def test_the_example_of_the_description_works(service):
    schema = service.server.get("/openapi.json").json()["components"]["schemas"]
    (example,) = schema["Rows"]["properties"]["records"]["examples"]
    assert set(schema["Row"]["properties"]) == set(service.model.contract.features)
    answered = service.server.post("/predict", {"records": example}).json()["predictions"]
    assert [row["source"] for row in answered] == ["model"]
    assert "cdn" not in service.server.get("/docs").text  # all that it needs is here


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.data())
def test_any_request_made_from_the_description_is_answered_as_described(service, data):
    schema = schemathesis.openapi.from_dict(service.server.get("/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations()]
    operation = data.draw(st.sampled_from(operations))
    case = data.draw(operation.as_strategy())
    case.call_and_validate(base_url=service.server.url, checks=CHECKS)


def mutate(rng):
    """A body that is a little or very wrong, and its content type."""
    body = {"records": records(rng.randrange(1, 4))}
    wrong = ["", "x" * 5000, -1, 10**400, 1e308, float("nan"), float("inf"), True, None, [], {}, [[]], "\u0000"]
    for _ in range(rng.randrange(4)):
        row = rng.choice(body["records"])
        row[rng.choice([*row, "more", ""])] = rng.choice(wrong)
    text = json.dumps(body).encode()
    kind = rng.choice(["application/json"] * 5 + ["text/csv", "", "application/vnd.apache.parquet"])
    act = rng.randrange(8)
    if act == 0:
        text = text[: rng.randrange(len(text))]
    elif act == 1:
        place = rng.randrange(len(text))
        text = text[:place] + bytes([rng.randrange(256)]) + text[place + 1 :]
    elif act == 2:
        depth = rng.choice([10, 1000, 50_000])
        text = b'{"records": [{"size": ' + b"[" * depth + b"]" * depth + b"}]}"
    elif act == 3:
        text = json.dumps({rng.choice(["records", "inputs", "instances"]): rng.choice(wrong)}).encode()
    return text, kind


def test_no_mutated_request_fails_the_service_and_each_answer_is_in_the_log(service, request):
    rng, answered = random.Random(7), []
    before = set(service.logged()["id"])
    for _ in range(request.config.getoption("--mutations")):
        body, kind = mutate(rng)
        path = rng.choice(["/predict", "/predict", "/predict?explain=true", "/invocations", "/outcomes"])
        response = service.server.post(path, data=body, headers={"content-type": kind} if kind else {})
        assert response.status_code < 500, (path, body[:500], response.text)
        if response.status_code == 200 and path != "/outcomes":
            named, rows = response.headers.get("x-request-id"), response.json()["predictions"]
            answered += [f"{named}-{number}" for number in range(len(rows))]
        elif response.status_code != 200:
            assert set(response.json()) == {"error"}
            assert "Traceback" not in response.text and "/src/" not in response.text
    logged = service.logged()["id"].tolist()
    assert sorted(set(logged) - before) == sorted(answered)
    assert len(logged) == len(set(logged))
    assert answered


def test_a_hundred_megabytes_are_refused_and_the_service_goes_on(service):
    response = service.server.post("/predict", data=b" " * 100_000_000, headers=JSON)
    assert error_of(response, 413)["code"] == "too_large"
    assert service.server.get("/health").status_code == 200


def test_outcomes_find_their_predictions_by_id_and_by_key(service):
    asked = records(3, order=17)
    told = service.server.post("/predict", {"records": asked}).json()["predictions"]
    key = {name: asked[1][name] for name in KEYS}
    outcomes = [
        {"id": told[0]["id"], "outcome": 1},
        {"key": key | {"order": 17.0}, "outcome": 0},  # 17 or 17.0
        {"id": "never given", "outcome": 1},
    ]
    response = service.server.post("/outcomes", {"outcomes": outcomes})
    assert response.json() == {"stored": 3, "without_prediction": 1}
    service.server.post("/outcomes", {"outcomes": [{"id": told[0]["id"], "outcome": 0}]})  # put right
    logged = service.logged().set_index("id").loc[[row["id"] for row in told]]
    assert logged["outcome"].fillna(-1).tolist() == [0, 0, -1]
    assert logged["input.order"].tolist() == [17] * 3
    for wrong, field in (
        ({}, "outcomes"),
        ({"outcomes": [{"id": "a"}]}, "outcomes.0.outcome"),
        ({"outcomes": [{"outcome": 1}]}, "outcomes.0"),
        ({"outcomes": [{"key": {"colour": "red"}, "outcome": 1}]}, "outcomes.0"),
    ):
        assert error_of(service.server.post("/outcomes", wrong), 422)["field"].startswith(field)


def test_what_is_not_answered_in_time_is_told_so_and_the_next_one_is_answered(service):
    hasty = service.settings.model_copy(update={"limits": service.settings.limits.model_copy(update={"seconds": 1e-4})})
    server = Server(hasty, service.deployment)
    try:
        response = server.post("/predict", {"records": records(400)})
        assert error_of(response, 503)["code"] == "timeout"
        assert server.get("/health").status_code == 200
    finally:
        server.stop()
    assert service.server.post("/predict", {"records": records(1)}).status_code == 200
