"""The decision threshold is part of a version: `prediction` follows it wherever the version predicts."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
from kedro_tabular.registry.champion import ChampionDataset
from kedro_tabular.registry.loading import ModelProcess, load_model
from kedro_tabular.registry.scoring import score_chunks
from kedro_tabular.registry.versions import FINGERPRINT
from kedro_tabular.serving.replay import Client, Replay, select_period
from mlflow.artifacts import download_artifacts
from mlflow.tracking import MlflowClient

from ...conftest import fit_packaged, make_contract, make_table
from .. import registering
from ..registering import make_registry
from .conftest import KEYS, start

THRESHOLD = 0.1


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The service with a classification that has a threshold."""
    model = fit_packaged("binary")
    model.threshold = THRESHOLD
    running = start(tmp_path_factory.mktemp("decision"), model)
    yield running
    running.server.stop()
    mlflow.end_run()


@pytest.fixture(scope="module")
def table():
    """Rows for the model and for the fallback, some of them with probabilities between the threshold and one half."""
    table = make_table(200, seed=1)
    table.loc[::10, "size"] = -1.0
    return table


def follows(predictions):
    """Whether rows of both sources are predicted by the threshold, where that makes a difference."""
    probability = predictions["probability_1"].astype(float)
    differs = predictions[probability.between(THRESHOLD, 0.5, inclusive="neither")]
    assert set(differs["source"]) == {"model", "fallback"}
    return (predictions["prediction"].astype(int) == (probability > THRESHOLD)).all()


def test_every_door_of_the_version_predicts_by_its_threshold(service, table, tmp_path):
    rows = table.drop(columns="answer")
    assert follows(service.model.predict(rows))
    champion = ChampionDataset("small").load()
    assert follows(champion.predict(rows))
    (scored,) = score_chunks(rows, champion, make_contract(), {"keep": []})
    assert follows(scored)
    assert follows(mlflow.pyfunc.load_model("models:/small@champion").predict(rows))
    archived = ModelProcess(Path(download_artifacts("models:/small/1", dst_path=str(tmp_path))))
    assert follows(archived.predict(rows))


def test_the_service_and_its_log_predict_by_the_threshold(service, table):
    rows = table.drop(columns="answer").astype({"when": str}).astype(object)
    sent = rows.where(rows.notna(), None).to_dict(orient="records")
    response = service.server.post("/invocations", {"dataframe_records": sent})
    assert follows(pd.DataFrame(response.json()["predictions"]))
    answers = service.server.post("/predict", {"records": sent}).json()["predictions"]
    assert follows(pd.DataFrame([row | {"probability_1": row["probability"]["1"]} for row in answers]))
    logged = service.logged()
    assert len(logged) == 2 * len(rows)
    assert follows(logged)


def test_a_replay_is_predicted_by_the_threshold(service, table):
    contract = service.model.contract
    before = len(service.logged())
    replay = Replay(
        Client(service.server.url, None, 60), select_period(table, contract, None, None), contract, KEYS, 50
    )
    assert list(replay.run(pd.Timedelta(hours=1)))
    logged = service.logged()
    assert len(logged) == before + len(table)
    assert follows(logged.iloc[before:])


def test_the_threshold_is_in_the_fingerprint_and_a_version_without_one_predicts_as_before(tmp_path, monkeypatch, table):
    monkeypatch.chdir(tmp_path)
    model, rows = fit_packaged("binary"), table.drop(columns="answer")
    registry = make_registry(tmp_path, model)
    without = registering.package(model)
    del without.contract["decision"]
    with mlflow.start_run():
        registry.save(without)
    fingerprints = {MlflowClient().get_model_version("small", "1").tags[FINGERPRINT]}
    for threshold in (0.1, 0.2):
        model.threshold = threshold
        registering.register(registry, model)
    fingerprints |= {MlflowClient().get_model_version("small", number).tags[FINGERPRINT] for number in "23"}
    assert len(fingerprints) == 3
    loaded = load_model(Path(download_artifacts("models:/small/1", dst_path=str(tmp_path / "loaded"))))
    model.threshold = None
    pd.testing.assert_frame_equal(loaded.predict(rows), model.predict(rows), check_exact=True)
