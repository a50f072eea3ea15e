"""The predictions of a row are the same in all formats and over all interfaces."""

import json
import threading
import time

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.pyfunc import scoring_server

from ...conftest import make_table
from .conftest import records

WORDS = st.one_of(st.none(), st.sampled_from(["red", "blue", "town 3"]), st.text(max_size=4))
NUMBERS = st.one_of(
    st.none(), st.integers(-5, 200), st.floats(-1e3, 1e3), st.floats(allow_nan=False, allow_infinity=False)
)
WHEN = st.datetimes(pd.Timestamp("2019-01-01").to_pydatetime(), pd.Timestamp("2022-01-01").to_pydatetime())
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "colour": WORDS,
            "town": WORDS,
            "size": NUMBERS,
            "weight": NUMBERS,
            "when": st.one_of(st.none(), WHEN.map(lambda time: time.isoformat()), st.just("soon")),
        },
        optional={"more": st.integers()},
    ),
    min_size=1,
    max_size=6,
)


def predict_over_http(service, rows, path="/predict"):
    """The predictions of JSON records in the form of the packaged model."""
    body = {"records": rows} if path == "/predict" else {"dataframe_records": rows}
    response = service.server.post(path, body)
    assert response.status_code == 200, response.text
    predictions = response.json()["predictions"]
    if path == "/predict":
        for row in predictions:
            row |= {f"probability_{label}": p for label, p in row.pop("probability").items()}
            del row["id"]
    return [row | {"reasons": tuple(row["reasons"])} for row in predictions]


def predict_in_process(service, rows):
    frame = pd.DataFrame(rows, columns=service.model.contract.features, dtype=object)
    return service.model.predict(frame).to_dict(orient="records")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.permutations(["colour", "town", "size", "weight", "when", "more"]))
def test_any_rows_are_predicted_alike_over_http_in_process_and_one_by_one(service, rows, order):
    expected = predict_in_process(service, rows)
    assert predict_over_http(service, rows) == expected
    reordered = [{name: row[name] for name in order if name in row} for row in rows]
    assert predict_over_http(service, reordered, "/invocations") == expected
    assert [predict_over_http(service, [row])[0] for row in rows] == expected


@pytest.fixture(scope="module")
def mlflow_server(service):
    """MLflow's own scoring server with the same version."""
    app = scoring_server.init(mlflow.pyfunc.load_model("models:/small@champion"))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/invocations"
    server.should_exit = True
    thread.join()


def test_responses_to_mlflows_formats_are_those_of_mlflows_own_server(service, mlflow_server):
    table = make_table(200, seed=1).drop(columns="answer")
    table.loc[:9, "town"] = "never seen"
    table["size"] = table["size"].round()  # whole numbers, which JSON and CSV may write without a point
    text = table.astype({"when": str})
    as_json = {"content-type": "application/json"}
    split = json.loads(text.to_json(orient="split", index=False))
    bodies = {
        "split": (json.dumps({"dataframe_split": split}), as_json),
        "records": (json.dumps({"dataframe_records": text.to_dict(orient="records")}), as_json),  # with NaN
        "csv": (table.to_csv(index=False), {"content-type": "text/csv"}),
        "parquet": (table.to_parquet(), {"content-type": "application/vnd.apache.parquet"}),
    }
    expected = service.model.predict(table)
    for name, (body, headers) in bodies.items():
        ours = service.server.post("/invocations", data=body, headers=headers)
        theirs = requests.post(mlflow_server, data=body, headers=headers, timeout=60)
        assert ours.status_code == 200, (name, ours.text)
        if name != "csv":  # where MLflow's server does not parse date-times
            assert ours.json() == theirs.json(), name
        predictions = pd.DataFrame(ours.json()["predictions"])
        for column in ("prediction", "probability_0", "probability_1", "source"):
            assert predictions[column].tolist() == expected[column].tolist(), (name, column)


@pytest.mark.parametrize("json_format", ["instances", "inputs", "columns", "lists"])
def test_all_formats_of_mlflows_json_are_supported(service, json_format):
    table = make_table(5, seed=1).drop(columns="answer").astype({"when": str})
    rows = json.loads(table.to_json(orient="records"))
    bodies = {
        "instances": {"instances": rows},
        "inputs": {"inputs": rows},
        "columns": {"inputs": {name: [row[name] for row in rows] for name in rows[0]}},
        "lists": {"instances": [[row[name] for name in service.model.contract.features] for row in rows]},
    }
    response = service.server.post("/invocations", bodies[json_format])
    assert response.status_code == 200, response.text
    expected = service.model.predict(table)["probability_1"]
    np.testing.assert_array_equal([row["probability_1"] for row in response.json()["predictions"]], expected)


def test_the_version_loaded_from_the_registry_explains_through_mlflow(service):
    loaded = mlflow.pyfunc.load_model("models:/small@champion")
    table = make_table(4, seed=1).drop(columns="answer")
    explained = loaded.predict(table, params={"explain": True})["explanation"]
    assert explained.tolist() == service.model.predict(table, {"explain": True})["explanation"].tolist()
    body = {"dataframe_records": table.astype({"when": str}).to_dict(orient="records")}
    body |= {"params": {"explain": True}}
    response = service.server.post("/invocations", data=json.dumps(body), headers={"content-type": "application/json"})
    assert [row["explanation"] for row in response.json()["predictions"]] == explained.tolist()


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "", "01067", 'a "b",\nc'])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_category_of_a_table_is_the_same_as_in_json(service, word, suffix):
    rows = [row | {"colour": word or None, "town": word or None} for row in records(3)]
    table = pd.DataFrame(rows)
    body = table.to_csv(index=False) if suffix == "csv" else table.to_parquet()
    media_type = "text/csv" if suffix == "csv" else "application/vnd.apache.parquet"
    from_table = service.server.post("/invocations", data=body, headers={"content-type": media_type})
    from_json = service.server.post("/invocations", {"dataframe_records": rows})
    assert from_table.status_code == 200, from_table.text
    assert from_table.json() == from_json.json()


def test_a_cell_of_a_csv_that_is_no_number_does_not_change_its_neighbours(service):
    rows = [row | {"size": size} for row, size in zip(records(4), ["big", 7, 7.5, None], strict=True)]
    response = service.server.post(
        "/invocations", data=pd.DataFrame(rows).to_csv(index=False), headers={"content-type": "text/csv"}
    )
    assert response.json() == service.server.post("/invocations", {"dataframe_records": rows}).json()
    reasons = [row["reasons"] for row in response.json()["predictions"]]
    assert reasons == [["wrong_type:size=big"], [], [], ["missing:size"]]
