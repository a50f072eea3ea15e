import shutil

import mlflow
import pytest
from kedro_tabular.lineage.relocation import relocate_artifacts
from mlflow.tracking import MlflowClient

STORE = "sqlite:///mlflow.db"
ECHO = """
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

class Echo(PythonModel):
    def predict(self, model_input, params=None):
        return model_input

set_model(Echo())
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A project with a registered model, moved to another folder after it was made."""
    folder = tmp_path_factory.mktemp("project")
    before = folder / "before"
    before.mkdir()
    mlflow.set_tracking_uri(f"sqlite:///{before}/mlflow.db")
    client = MlflowClient()
    experiment = client.create_experiment("test", artifact_location=(before / "mlartifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment):
        mlflow.log_text("kept", "note.txt")
        code = folder / "echo.py"
        code.write_text(ECHO)
        mlflow.pyfunc.log_model(
            name="model", python_model=str(code), pip_requirements=["mlflow"], registered_model_name="m"
        )
    return before.rename(folder / "kept")


@pytest.fixture
def moved(original, tmp_path):
    """A copy of it, whose store has the URIs of the folder where it was made."""
    after = shutil.copytree(original, tmp_path / "after")
    mlflow.set_tracking_uri(f"sqlite:///{after}/mlflow.db")
    return after


def test_models_and_artifacts_are_found_in_the_new_folder(moved):
    relocate_artifacts(moved, STORE, "mlartifacts")
    client = MlflowClient()
    (experiment,) = client.search_experiments(filter_string="name = 'test'")
    assert experiment.artifact_location == (moved / "mlartifacts").as_uri()
    (run,) = client.search_runs([experiment.experiment_id])
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/note.txt") == "kept"
    assert mlflow.pyfunc.load_model("models:/m/1").predict(["x"]) == ["x"]


@pytest.mark.parametrize(
    ("store", "location"),
    [
        ("http://127.0.0.1:5000", "mlartifacts"),  # a server has its own locations
        (STORE, "s3://bucket/mlflow"),
        (STORE, None),
        (STORE, "no_such_folder"),  # the artifacts were not moved
    ],
)
def test_other_locations_do_not_change(moved, store, location):
    before = MlflowClient().search_experiments(filter_string="name = 'test'")[0].artifact_location
    relocate_artifacts(moved, store, location)
    assert MlflowClient().search_experiments(filter_string="name = 'test'")[0].artifact_location == before
