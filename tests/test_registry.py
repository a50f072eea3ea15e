import json

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from project import serialization
from project.lineage import content_md5
from project.registry import Package, RegisteredModelDataset, champion_version

from .conftest import make_contract, make_table
from .test_model import fit_packaged

TREES = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
FOLDS = ["sklearn.model_selection._split.StratifiedKFold"]


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry in a SQLite file of its own, with the stored objects of a small model beside it."""
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_experiment("test")
    model = fit_packaged("binary")
    serialization.dump(model.preprocessor, tmp_path / "preprocessor.skops", FOLDS)
    serialization.dump(model.estimator, tmp_path / "model.skops", TREES)
    (tmp_path / "requirements.lock").write_text("pinned")
    stored = {name: str(tmp_path / f"{name}.skops") for name in ("preprocessor", "model")}
    lock, receipt = str(tmp_path / "requirements.lock"), str(tmp_path / "registered.json")
    yield RegisteredModelDataset(receipt, stored, lock, "small"), model
    mlflow.end_run()


def package(model, objections=()):
    return Package(
        name="small",
        signature=model.signature(),
        input_example=make_table(3)[model.contract.features],
        contract={"table": make_contract(), "trusted_types": TREES + FOLDS},
        requirements=["scikit-learn"],
        objections=list(objections),
    )


def test_the_first_version_without_objections_is_champion_and_stays_it(registry):
    dataset, model = registry
    for objections in (["too bad"], [], []):
        with mlflow.start_run():
            dataset.save(package(model, objections))
    assert champion_version("small") == "2"
    assert len(MlflowClient().search_model_versions("name = 'small'")) == 3


def test_what_is_written_of_a_registration_is_the_same_for_the_same_model(registry, tmp_path):
    dataset, model = registry
    receipt = tmp_path / "registered.json"
    written = []
    for _ in range(2):
        with mlflow.start_run():
            dataset.save(package(model))
        written.append(receipt.read_bytes())
        receipt.unlink()
    assert written[0] == written[1]
    assert json.loads(written[0])["artifacts"]["model"] == content_md5(tmp_path / "model.skops")


def test_there_is_no_champion_of_an_unknown_model_or_of_one_without(registry):
    dataset, model = registry
    assert champion_version("small") is None
    with mlflow.start_run():
        dataset.save(package(model, ["too bad"]))
    assert champion_version("small") is None


def test_the_loaded_champion_answers_as_the_model_in_memory(registry):
    dataset, model = registry
    with mlflow.start_run() as run:
        dataset.save(package(model))
    live = make_table(40, seed=1)[model.contract.features]
    assert dataset.load().predict(live).equals(model.predict(live))
    version = MlflowClient().get_model_version_by_alias("small", "champion")
    assert version.run_id == run.info.run_id
    assert "requirements.lock" in [file.path for file in MlflowClient().list_artifacts(run.info.run_id)]
