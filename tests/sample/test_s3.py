"""DVC's storage and MLflow's artifacts in S3: a real server on loopback that speaks its protocol."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import mlflow
import pandas as pd
import pytest
import yaml

from ..conftest import ROOT, run_kedro
from ..repositories import git
from ..storage import BUCKET, s3_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """Address of the server, with the bucket and the credentials in the environment."""
    with s3_server(tmp_path_factory.mktemp("storage")) as address:
        yield address


@pytest.fixture(scope="module")
def project(tmp_path_factory, copy_project, endpoint):
    """A repository whose storage and artifacts are in the bucket, by the lines that docs/storage.md gives."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    (folder / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc")
    git(folder, "init", "--quiet")
    for pointer in folder.glob("data/01_raw/*.dvc"):
        pointer.unlink()
    dvc(folder, "remote", "modify", "storage", "url", f"s3://{BUCKET}/dvc")
    dvc(folder, "remote", "modify", "storage", "endpointurl", endpoint)
    path = folder / "conf" / "base" / "mlflow.yml"
    settings = yaml.safe_load(path.read_text())
    settings["tracking"]["experiment"]["create_experiment_kwargs"] = {"artifact_location": f"s3://{BUCKET}/mlflow"}
    path.write_text(yaml.safe_dump(settings))
    return folder


def dvc(folder, *arguments):
    command = [Path(sys.executable).with_name("dvc"), *arguments]
    done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def keys(endpoint, prefix):
    listed = boto3.client("s3", endpoint_url=endpoint).list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return [item["Key"] for item in listed.get("Contents", [])]


def test_data_comes_back_from_the_bucket(project, endpoint):
    path = project / "data" / "01_raw" / "planes.parquet"
    content = path.read_bytes()
    dvc(project, "add", "data/01_raw/planes.parquet")
    dvc(project, "push")
    assert keys(endpoint, "dvc/files/md5")
    path.unlink()
    shutil.rmtree(project / ".dvc" / "cache")
    dvc(project, "pull")
    assert path.read_bytes() == content


def test_a_model_is_trained_into_the_bucket_and_loaded_from_it(project, endpoint):
    settings = "evaluation.importance_rows=200,estimator.kwargs.max_iter=10"
    trained = run_kedro(project, "run", "--pipeline=train", "--params", settings)
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert any(key.endswith("model.skops") for key in keys(endpoint, "mlflow/"))
    assert not (project / "mlartifacts").exists()
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    model = mlflow.pyfunc.load_model("models:/flight_delay@champion")
    rows = pd.read_parquet(project / "data/03_primary/test.parquet").head(3)
    expected = pd.read_parquet(project / "data/07_model_output/test_predictions.parquet").head(3)
    assert (model.predict(rows)["probability_1"] == expected["probability_1"]).all()
