"""The interval of a regression: rows that the fallback predicts have none, in every form of an answer."""

import json

import mlflow
import numpy as np
import pandas as pd
import pytest

from ...conftest import fit_packaged
from .conftest import records, start
from .test_parity import mlflow_server  # noqa: F401  # a fixture


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The service with a regression."""
    running = start(tmp_path_factory.mktemp("intervals"), fit_packaged("number"))
    yield running
    running.server.stop()
    mlflow.end_run()


@pytest.fixture
def rows():
    return [*records(2), *records(1, size=-1)]


def test_the_service_answers_null_where_there_is_no_interval(service, rows):
    predictions = service.server.post("/predict", {"records": rows}).json()["predictions"]
    assert [row["source"] for row in predictions] == ["model", "model", "fallback"]
    width = service.model.guard.limit
    for row in predictions[:2]:
        assert [row["lower"], row["upper"]] == [row["prediction"] - width, row["prediction"] + width]
    assert (predictions[2]["lower"], predictions[2]["upper"]) == (None, None)
    assert np.isfinite(predictions[2]["prediction"])
    logged = service.logged()
    assert logged["lower"].isna().tolist() == [False, False, True]


def test_mlflows_own_server_answers_the_same(service, rows, mlflow_server):  # noqa: F811
    body, headers = json.dumps({"dataframe_records": rows}), {"content-type": "application/json"}
    ours = service.server.post("/invocations", data=body, headers=headers).json()["predictions"]
    theirs = service.server.session.post(mlflow_server, data=body, headers=headers, timeout=60).json()["predictions"]
    assert ours[2]["upper"] is None
    assert np.isnan(theirs[2]["upper"])  # MLflow writes NaN, which its clients read
    pd.testing.assert_frame_equal(pd.DataFrame(ours), pd.DataFrame(theirs), check_exact=True)


def test_signature_and_description_say_that_there_may_be_none(service, rows):
    outputs = mlflow.models.get_model_info("models:/small@champion").signature.outputs
    assert {column.name for column in outputs if not column.required} == {"lower", "upper", "explanation"}
    answer = service.server.get("/openapi.json").json()["components"]["schemas"]["Answer"]
    for name in ("lower", "upper"):
        assert name in answer["required"]
        assert {"type": "null"} in answer["properties"][name]["anyOf"]


def test_a_file_of_predictions_has_an_empty_cell_or_null(service, rows, tmp_path):
    predictions = service.model.predict(pd.DataFrame(rows)).drop(columns="reasons")
    predictions.to_csv(tmp_path / "predictions.csv", index=False)
    last = (tmp_path / "predictions.csv").read_text().splitlines()[-1]
    assert last.endswith(",,,fallback")
