"""A registry of small models, for tests of what is done with them."""

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from kedro_tabular.modelling import make_signature, serialization
from kedro_tabular.modelling.packaged_model import FITTED_ARTIFACTS, PackagedModel
from kedro_tabular.registry.versions import ModelPackage, RegisteredModelDataset

from ..conftest import make_table

TRUSTED = [
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.model_selection._split.KFold",
]


def verdict(champion=None, failed=(), promote="auto"):
    rules = [{"rule": name, "passed": False, "why": f"{name} is bad"} for name in failed]
    said = "refused" if failed else "passed"
    return {"verdict": said, "rules": rules, "champion": champion, "promote": promote}


def package(model, gate=None, example=None, register=True, name="small"):
    table = model.contract.model_dump(exclude_defaults=True)
    return ModelPackage(
        name=name,
        signature=make_signature(model),
        input_example=make_table(3)[model.contract.features] if example is None else example,
        contract={"table": table, "trusted_types": TRUSTED, "decision": {"threshold": model.threshold}},
        requirements=["scikit-learn"],
        gate=gate or verdict(),
        register=register,
    )


@cache
def empty_store() -> bytes:
    """A SQLite file with MLflow's tables, which it takes seconds to make."""
    with TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.search_experiments()
        with closing(sqlite3.connect(f"{folder}/mlflow.db")) as connection:
            return connection.serialize()


def make_registry(folder: Path, model: PackagedModel) -> RegisteredModelDataset:
    """A registry in a SQLite file of its own, with the stored objects of a model beside it."""
    if not (folder / "mlflow.db").exists():
        (folder / "mlflow.db").write_bytes(empty_store())
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    if mlflow.get_experiment_by_name("test") is None:
        mlflow.create_experiment("test", artifact_location=str(folder / "artifacts"))
    mlflow.set_experiment("test")
    store(folder, model)
    (folder / "requirements.lock").write_text("pinned")
    stored = {name: str(folder / f"{name}.skops") for name in FITTED_ARTIFACTS}
    return RegisteredModelDataset(str(folder / "registered.json"), stored, str(folder / "requirements.lock"))


def store(folder: Path, model: PackagedModel) -> None:
    """Make these the objects that the next version is registered with."""
    for name in FITTED_ARTIFACTS:
        part = model.estimator if name == "model" else getattr(model, name)
        serialization.dump(part, folder / f"{name}.skops", TRUSTED)


def break_archived_code(folder: Path) -> None:
    """Let the archived code of the versions below a folder raise KeyError for rows with a size of 13."""
    anchor = '        explain = bool((params or {}).get("explain"))\n'
    for path in folder.rglob("code/kedro_tabular/modelling/packaged_model.py"):
        code = path.read_text(encoding="utf-8")
        assert code.count(anchor) == 1
        broken = '        if (model_input["size"] == 13).any():\n            raise KeyError("thirteen")\n'
        path.write_text(code.replace(anchor, anchor + broken), encoding="utf-8")


def register(dataset: RegisteredModelDataset, model: PackagedModel, gate=None, example=None, name="small") -> None:
    with mlflow.start_run():
        dataset.save(package(model, gate, example, name=name))
