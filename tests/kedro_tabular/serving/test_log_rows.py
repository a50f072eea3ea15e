"""What one bad row does to its neighbours in the log, and what the log keeps of a caller."""

import asyncio
import json
import logging
import random
import string
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import sqlalchemy as sa
from kedro_tabular.contract.contract import Contract, ContractError
from kedro_tabular.serving.batching import Batcher
from kedro_tabular.serving.errors import RequestError
from kedro_tabular.serving.loaded_version import LoadedVersion
from kedro_tabular.serving.local_cache import VersionIdentity
from kedro_tabular.serving.log.outcomes import read_outcome_table
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.parsing import rows_from_records
from kedro_tabular.serving.pending import PendingRequest

from ...conftest import fit_packaged, make_contract
from .conftest import create_database, records, settings_of, share_batches, start

CONTRACT = Contract.from_parameters(make_contract())
LONG = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=20_000))  # can't be compressed much


@pytest.fixture
def log(new_url):
    opened = PredictionLog(new_url)
    yield opened
    opened.close()


def predict_together(log, requests, keys=("order",)):
    """Responses to requests, each a list of records, that are one batch; RequestError for those that fail."""
    identity = VersionIdentity("small", "1", "run", "commit", {})
    version = LoadedVersion(identity, fit_packaged("binary"), CONTRACT, ["0", "1"])
    batcher = Batcher(
        SimpleNamespace(current=version), log, list(keys), settings_of(Path(), limits={"queue_seconds": 60}).limits
    )
    share_batches(batcher)

    def ask(rows):
        def make_rows(contract):
            return rows_from_records(rows, "records", contract, list(keys))

        return batcher.predict(PendingRequest(make_rows, len(rows), False), asyncio.Event().wait())

    async def send():
        return await asyncio.gather(*map(ask, requests), return_exceptions=True)

    try:
        return asyncio.run(send())
    finally:
        batcher.close()


def test_a_key_that_is_too_long_fails_its_own_request_only(log, caplog):
    requests = [records(2, order=number) for number in range(20)]
    requests.insert(7, records(2, order=LONG))
    responses = predict_together(log, requests)
    bad = responses.pop(7)
    assert isinstance(bad, RequestError) and (bad.status, bad.code) == (422, "invalid_rows")
    assert str(bad) == "row 0: the key of order has 20,004 bytes, the limit is 1,024"
    assert sorted(log.read()["id"]) == sorted(name for response in responses for name in response.ids)
    assert LONG[:50] not in caplog.text


def test_a_row_that_the_database_refuses_fails_its_own_request_only_and_is_not_printed(log, caplog):
    with log.engine.begin() as connection:
        if log.engine.dialect.name == "postgresql":
            connection.execute(sa.text("ALTER TABLE predictions ADD CHECK (input NOT LIKE '%poison%')"))
        else:
            raising = "WHEN new.input LIKE '%poison%' BEGIN SELECT RAISE(ABORT, 'refused'); END"
            connection.execute(sa.text(f"CREATE TRIGGER refuse BEFORE INSERT ON predictions {raising}"))
    requests = [records(2, order=number) for number in range(20)]
    requests[11] = records(2, order="poison, and a secret")
    with caplog.at_level(logging.INFO):
        responses = predict_together(log, requests)
    bad = responses.pop(11)
    assert isinstance(bad, RequestError) and (bad.status, bad.code) == (422, "not_storable")
    assert sorted(log.read()["id"]) == sorted(name for response in responses for name in response.ids)
    assert "the prediction log refused predictions" in caplog.text
    assert "poison, and" not in caplog.text and "Traceback" not in caplog.text


def test_a_log_that_is_not_available_fails_all_requests_at_once(log, caplog):
    with log.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE predictions RENAME TO gone"))
    responses = predict_together(log, [records(1, order="a secret") for _ in range(20)])
    assert {(error.status, error.code) for error in responses} == {(503, "log_unavailable")}
    assert len([record for record in caplog.records if "not writable" in record.message]) < 3 * 20
    assert "a secret" not in caplog.text


@pytest.fixture(scope="module")
def logged_in_postgresql(tmp_path_factory, postgresql):
    changes = {"log": {"url": create_database(postgresql), "keys": ["order"]}, "limits": {"characters": 1000}}
    running = start(tmp_path_factory.mktemp("logged"), fit_packaged("binary"), **changes)
    yield running
    running.server.stop()


ODD = ["\u0000", "a\u0000b", "\ufffe", "é" * 400, 10**300, -(10**300), 1e308, {"a": ["\u0000"]}, [None], True, "", "'"]


@pytest.mark.parametrize("value", ODD)
def test_odd_values_are_stored_in_postgresql(logged_in_postgresql, value):
    server = logged_in_postgresql.server
    response = server.post("/predict", {"records": records(1, colour=value, order=value)})
    assert response.status_code == 200, response.text
    outcome = {"key": {"order": value}, "outcome": "\u0000"}
    assert server.post("/outcomes", {"outcomes": [outcome]}).json() == {"stored": 1, "without_prediction": 0}


@pytest.mark.parametrize(
    ("path", "body", "code", "field"),
    [
        ("/predict", {"records": records(1, colour=LONG)}, "value_too_long", "colour"),
        ("/predict", {"records": records(1, colour=[LONG])}, "value_too_long", "colour"),
        ("/predict", {"records": records(1, size=10**1001)}, "value_too_long", "size"),
        ("/invocations", {"dataframe_records": records(1, order=LONG)}, "value_too_long", "order"),
        ("/predict", {"records": records(1, id=LONG)}, "invalid_id", "records[0].id"),
        ("/predict", {"records": records(1, id="a\u0000")}, "invalid_id", "records[0].id"),
        ("/predict", {"records": records(1, id=[])}, "invalid_id", "records[0].id"),
        ("/outcomes", {"outcomes": [{"id": "a\u0000b", "outcome": 1}]}, "invalid_body", "outcomes.0.id"),
        ("/outcomes", {"outcomes": [{"id": LONG, "outcome": 1}]}, "invalid_body", "outcomes.0.id"),
        ("/outcomes", {"outcomes": [{"key": {"order": LONG}, "outcome": 1}]}, "invalid_body", "outcomes"),
    ],
)
def test_values_that_are_too_long_are_refused_by_name(logged_in_postgresql, path, body, code, field):
    response = logged_in_postgresql.server.post(path, body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["field"]) == (422, code, field)
    assert LONG[:100] not in response.text


def test_columns_outside_the_contract_may_be_long(logged_in_postgresql):
    assert logged_in_postgresql.server.post("/predict", {"records": records(1, note=LONG)}).status_code == 200


def test_a_log_that_fails_is_reported_to_those_who_send_outcomes_too(tmp_path):
    running = start(tmp_path, fit_packaged("binary"))
    with running.server.session, sa.create_engine(running.settings.log.url).begin() as connection:
        connection.execute(sa.text("ALTER TABLE outcomes RENAME TO gone"))
    response = running.server.post("/outcomes", {"outcomes": [{"id": "a", "outcome": 1}]})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "log_unavailable")
    running.server.stop()


def test_ids_of_a_file_that_are_none_are_refused(tmp_path):
    path = tmp_path / "outcomes.jsonl"
    path.write_text(json.dumps({"id": "a\u0000", "answer": 1}) + "\n", encoding="utf-8")
    with pytest.raises(ContractError, match="1 of 1 ids are not those of predictions"):
        read_outcome_table(path, [], CONTRACT)


def test_the_callers_own_ids_are_stored_and_returned(service):
    rows = records(3)
    rows[0]["id"], rows[2]["id"] = "order/17:a", 4711
    response = service.server.post("/predict", {"records": rows}, headers={"x-request-id": "trace-1"})
    assert response.headers["x-request-id"] == "trace-1"
    predictions = response.json()["predictions"]
    assert [row["record_id"] for row in predictions] == ["order/17:a", None, "4711"]
    assert [row["id"] for row in predictions] == [f"{response.headers['x-prediction-id']}-{n}" for n in range(3)]
    logged = service.logged().set_index("id").loc[[row["id"] for row in predictions]]
    assert logged["record_id"].fillna("").tolist() == ["order/17:a", "", "4711"]
    assert logged["request_id"].tolist() == ["trace-1"] * 3


@pytest.mark.parametrize("content_type", ["application/json", "text/csv", "application/vnd.apache.parquet"])
def test_the_callers_own_ids_of_invocations_are_stored(service, content_type):
    table = pd.DataFrame(records(2, order=1)).assign(id=["a-1", "a-2"])
    body = {
        "application/json": lambda: json.dumps({"dataframe_records": records(1, id="a-1") + records(1, id="a-2")}),
        "text/csv": lambda: table.to_csv(index=False),
        "application/vnd.apache.parquet": table.to_parquet,
    }[content_type]()
    response = service.server.post("/invocations", data=body, headers={"content-type": content_type})
    assert response.status_code == 200, response.text
    start_of_ids = response.headers["x-prediction-id"]
    logged = service.logged().set_index("id").loc[[f"{start_of_ids}-0", f"{start_of_ids}-1"]]
    assert logged["record_id"].tolist() == ["a-1", "a-2"]


def test_a_request_id_is_in_error_responses_and_must_be_valid(service):
    response = service.server.post("/predict", {"records": 1}, headers={"x-request-id": "trace-2"})
    assert (response.status_code, response.headers["x-request-id"]) == (422, "trace-2")
    for wrong in ("x" * 129, "a b", "é"):
        response = service.server.post("/predict", {"records": []}, headers={"x-request-id": wrong.encode("latin-1")})
        assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_id")
        assert "x-request-id" not in response.headers
