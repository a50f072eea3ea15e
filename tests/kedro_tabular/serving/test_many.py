"""One service for many models: routing, loading and unloading, and models that are broken."""

import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from kedro_tabular.serving.deployments import Deployments
from kedro_tabular.serving.local_cache import DeploymentError
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.settings import ManySettings
from mlflow.tracking import MlflowClient

from ...conftest import fit_packaged
from ..registering import make_registry, register, store, verdict
from .conftest import KEYS, Server, records, settings_of

TREES = "sklearn.ensemble.HistGradientBoostingClassifier"
SEGMENTS = {"blue": {"colour": "blue"}, "broken": {"colour": "green"}, "red": {"colour": "red"}}
NAMES = ["blue", "broken", "pooled", "red", "untrained"]


@dataclass
class Many:
    """A server of many models, and the models by name."""

    server: Server
    deployments: Deployments
    models: dict[str, Any]
    registry: Any
    folder: Path

    def logged(self):
        log = PredictionLog(f"sqlite:///{self.folder}/log.db")
        try:
            return log.read()
        finally:
            log.close()


def settings_of_many(folder, loaded=None, **changes):
    # the process of the tests may take more memory than a service has by default
    shared = settings_of(folder, loaded={"memory_mb": 1e6} | (loaded or {}), **changes)
    models = dict.fromkeys(NAMES, shared)
    return ManySettings(shared=shared, models=models, segments=SEGMENTS, default="pooled")


def fit(n_iterations):
    return fit_packaged("binary", {"class": TREES, "kwargs": {"max_iter": n_iterations}})


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A registry with three models, one without its files, and one without versions."""
    folder = tmp_path_factory.mktemp("many")
    models = {"blue": fit(5), "pooled": fit(10), "red": fit(20)}
    registry = make_registry(folder, models["pooled"])
    for name, model in models.items():
        store(folder, model)
        register(registry, model, name=name)
    known = set(folder.rglob("MLmodel"))
    register(registry, models["red"], name="broken")
    (new,) = set(folder.rglob("MLmodel")) - known
    shutil.rmtree(new.parent / "artifacts")
    return folder, models, registry


@pytest.fixture
def serve(registered, tmp_path):
    """Starts a service of the models, with changed settings."""
    folder, models, registry = registered
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    started = []

    def start(**changes):
        settings = settings_of_many(tmp_path, **changes)
        deployments = Deployments(settings)
        deployments.start()
        started.append(Server(settings.shared, deployments))
        return Many(started[-1], deployments, models, registry, tmp_path)

    yield start
    for server in started:
        server.stop()


def rows_of(*colours):
    return [row | {"colour": colour} for row, colour in zip(records(len(colours)), colours, strict=True)]


def without_ids(answers):
    return [{key: value for key, value in answer.items() if key != "id"} for answer in answers]


def probabilities(answers):
    return [answer["probability"] for answer in answers]


def expected(model, rows):
    columns = {name: np.array([row[name] for row in rows], dtype=object) for name in model.contract.columns}
    found = model.predict_columns(columns, len(rows), False)
    return [{"0": a, "1": b} for a, b in zip(found["probability_0"], found["probability_1"], strict=True)]


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_each_model_answers_by_its_name(serve):
    many = serve()
    rows = rows_of("red", "blue", "green")
    for name in ("red", "blue", "pooled"):
        answer = many.server.post(f"/models/{name}/predict", {"records": rows}).json()
        assert (answer["model"], answer["version"]) == (name, "1")
        assert probabilities(answer["predictions"]) == expected(many.models[name], rows)
        mlflow_answer = many.server.post(f"/models/{name}/invocations", {"dataframe_records": rows}).json()
        found = [{"0": row["probability_0"], "1": row["probability_1"]} for row in mlflow_answer["predictions"]]
        assert found == expected(many.models[name], rows)
    assert many.logged().groupby("model").size().to_dict() == {"red": 6, "blue": 6, "pooled": 6}
    metrics = many.server.get("/metrics").text
    assert 'rows_total{model="red",source="model"} 6.0' in metrics
    assert 'requests_total{path="/models/{name}/predict",status="200"} 3.0' in metrics


def test_rows_are_routed_by_their_segment_and_a_batch_equals_its_rows_one_by_one(serve):
    many = serve()
    rows = [*rows_of("red", "blue", "green", "blue", "purple", "red", "red"), rows_of("red")[0] | {"colour": None}]
    response = many.server.post("/predict?explain=true", {"records": rows})
    answers = response.json()["predictions"]
    models = ["red", "blue", "pooled", "blue", "pooled", "red", "red", "pooled"]
    assert [answer["model"] for answer in answers] == models
    assert {answer["version"] for answer in answers} == {"1"}
    for answer, model, row in zip(answers, models, rows, strict=True):
        one = many.server.post("/predict?explain=true", {"records": [row]}).json()["predictions"]
        assert without_ids(one) == without_ids([answer])
        direct = many.server.post(f"/models/{model}/predict?explain=true", {"records": [row]}).json()["predictions"]
        assert without_ids(direct) == without_ids([{k: v for k, v in answer.items() if k not in ("model", "version")}])
    start = response.headers["x-prediction-id"]
    assert [answer["id"] for answer in answers] == [f"{start}-{position}" for position in range(len(rows))]
    logged = many.logged().set_index("id")
    assert logged.loc[[answer["id"] for answer in answers], "model"].tolist() == models
    assert many.server.post("/predict", {"records": []}).json() == {"predictions": []}


def test_a_value_that_no_model_has_is_of_the_pooled_model_whatever_its_type(serve):
    many = serve()
    values = [1, True, ["red"], {"red": 1}, "Red", ""]
    rows = [rows_of("red")[0] | {"colour": value} for value in values]
    answers = many.server.post("/predict", {"records": rows}).json()["predictions"]
    assert {answer["model"] for answer in answers} == {"pooled"}


def test_a_broken_model_is_told_and_hurts_no_other(serve):
    many = serve()
    assert many.server.post("/models/broken/predict", {"records": rows_of("green")}).json()["error"] == {
        "code": "model_unavailable",
        "message": "the model broken is not available; see GET /ready",
        "field": "model",
    }
    untrained = many.server.post("/models/untrained/predict", {"records": rows_of("green")})
    assert untrained.status_code == 503
    unknown = many.server.post("/models/green/predict", {"records": rows_of("green")})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_model")
    ready = many.server.get("/ready")
    assert ready.status_code == 200
    assert ready.json()["unavailable"] == {
        "broken": "can't be loaded: see the log of the service",
        "untrained": "no version has the alias champion",
    }
    assert str(many.folder) not in ready.text
    listed = {model["name"]: model for model in many.server.get("/models").json()["models"]}
    assert list(listed) == NAMES
    assert listed["red"] == {"name": "red", "version": "1", "loaded": False, "rows": "colour = red", "error": None}
    assert (listed["pooled"]["rows"], listed["pooled"]["loaded"]) == ("all others", True)
    assert listed["broken"]["error"] == ready.json()["unavailable"]["broken"]
    assert many.server.post("/models/red/predict", {"records": rows_of("red")}).status_code == 200
    errors = many.server.get("/metrics").text
    assert 'errors_total{code="model_unavailable",model="broken"} 1.0' in errors


def test_without_a_default_a_row_of_no_segment_is_an_error(registered, tmp_path):
    folder, _, _ = registered
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    shared = settings_of(tmp_path)
    segments = {name: where for name, where in SEGMENTS.items() if name != "broken"}
    settings = ManySettings(shared=shared, models=dict.fromkeys(segments, shared), segments=segments, default=None)
    deployments = Deployments(settings)
    deployments.start()
    server = Server(shared, deployments)
    try:
        refused = server.post("/predict", {"records": rows_of("red", "green")})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "no_model")
        assert server.post("/predict", {"records": rows_of("red", "blue")}).status_code == 200
    finally:
        server.stop()


@pytest.mark.parametrize("limits", [{"models": 2}, {"memory_mb": 1}])
def test_models_that_are_used_least_make_room(serve, limits):
    many = serve(loaded=limits)
    most = limits.get("models", 1)
    before = {}
    for name in ("red", "blue", "pooled", "red", "pooled", "blue"):
        answer = many.server.post(f"/models/{name}/predict", {"records": rows_of("red", "blue")}).json()
        assert probabilities(answer["predictions"]) == before.setdefault(name, probabilities(answer["predictions"]))
        loaded = list(many.server.get("/ready").json()["loaded"])
        assert len(loaded) <= most and name in loaded
    assert loaded == ["pooled", "blue"][-most:]
    # a batch needs more models at once than the limit, and is answered
    answers = many.server.post("/predict", {"records": rows_of("red", "blue", "green")}).json()["predictions"]
    assert [answer["model"] for answer in answers] == ["red", "blue", "pooled"]


def test_one_model_is_promoted_under_load_without_a_failed_request(registered, serve):
    many = serve(loaded={"models": 3})
    failed, done = [], threading.Event()

    def send():
        while not done.is_set():
            response = many.server.post("/predict", {"records": rows_of("red", "blue", "green")})
            if response.status_code != 200:
                failed.append(response.text)

    sending = threading.Thread(target=send)
    sending.start()
    try:
        store(registered[0], many.models["red"])
        register(many.registry, many.models["red"], verdict("1", promote="manual"), name="red")
        MlflowClient().set_registered_model_alias("red", "champion", "2")
        wait_for(lambda: many.server.get("/ready").json()["loaded"].get("red") == "2")
    finally:
        done.set()
        sending.join()
        MlflowClient().set_registered_model_alias("red", "champion", "1")
    assert not failed
    assert many.server.get("/ready").json()["loaded"] | {"red": ""} == {"pooled": "1", "red": "", "blue": "1"}


def test_outcomes_go_to_the_models_that_have_predicted_their_rows(serve):
    many = serve()
    rows = [row | {"order": position} for position, row in enumerate(rows_of("red", "blue", "green"))]
    answers = many.server.post("/predict", {"records": rows}).json()["predictions"]
    keys = [{key: row[key] for key in KEYS} for row in rows]
    outcomes = [{"id": answers[0]["id"], "outcome": 1}, {"key": keys[1], "outcome": 0}, {"key": keys[2], "outcome": 1}]
    stored = many.server.post("/outcomes", {"outcomes": outcomes}).json()
    assert stored == {"stored": 3, "without_prediction": 0}
    assert many.logged().set_index("model")["outcome"].to_dict() == {"red": 1, "blue": 0, "pooled": 1}
    early = many.server.post("/outcomes", {"outcomes": [{"key": keys[0] | {"order": 77}, "outcome": 1}]}).json()
    assert early == {"stored": 1, "without_prediction": 1}
    later = rows[0] | {"order": 77}
    many.server.post("/predict", {"records": [later]})
    direct = {"outcomes": [{"key": keys[1] | {"order": 78}, "outcome": 1}]}
    assert many.server.post("/models/blue/outcomes", direct).json()["without_prediction"] == 1


def test_the_schema_has_the_fields_of_each_model(serve):
    many = serve()
    wait_for(lambda: "/models/red/predict" in many.server.get("/openapi.json").json()["paths"])
    schema = many.server.get("/openapi.json").json()
    for name in ("red", "blue", "pooled"):
        operation = schema["paths"][f"/models/{name}/predict"]["post"]
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        rows = schema["components"]["schemas"][reference.rpartition("/")[2]]
        row = schema["components"]["schemas"][rows["properties"]["records"]["items"]["$ref"].rpartition("/")[2]]
        assert set(many.models[name].contract.columns) <= set(row["properties"])
    references = {
        part.split('"')[0] for part in many.server.get("/openapi.json").text.split("#/components/schemas/")[1:]
    }
    assert references <= set(schema["components"]["schemas"])
    ids = [one["operationId"] for operations in schema["paths"].values() for one in operations.values()]
    assert len(ids) == len(set(ids))


def test_without_the_registry_models_start_from_the_local_copy(registered, serve, tmp_path):
    folder, _, _ = registered
    many = serve()
    wait_for(lambda: (tmp_path / "served" / "red" / "champion" / "1" / "version.json").exists())
    wait_for(lambda: (tmp_path / "served" / "blue" / "champion" / "1" / "version.json").exists())
    (folder / "mlflow.db").rename(folder / "away.db")
    try:
        again = Deployments(settings_of_many(tmp_path))
        again.start()
        server = Server(many.deployments.settings.shared, again)
        answers = server.post("/predict", {"records": rows_of("red", "blue")}).json()["predictions"]
        assert [answer["model"] for answer in answers] == ["red", "blue"]
        assert server.get("/ready").json()["registry"].startswith("unreachable since")
        server.stop()
        with pytest.raises(DeploymentError, match="no model can be served"):
            Deployments(settings_of_many(tmp_path / "elsewhere")).start()
    finally:
        (folder / "away.db").rename(folder / "mlflow.db")
