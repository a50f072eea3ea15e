"""What is deployed, as commands see it: the gate, `kedro models`, promote, rollback and inference."""

import json
import signal
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ..conftest import fail, run_kedro, succeed
from .conftest import FAST as TRAINED
from .test_dvc import environment

pytestmark = pytest.mark.slow

FAST = TRAINED.removesuffix("20")
PREDICTIONS = "data/07_model_output/predictions.parquet"

# Runs a pipeline, and is killed when it is about to move an alias.
KILLED = """
import os, signal
from kedro_tabular.registry.aliases import LockedAliases
from project.__main__ import main
LockedAliases.promote = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
main()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, copy_trained):
    """A copy of the project in which `train` has run once."""
    return copy_trained(tmp_path_factory.mktemp("here") / "project")


def train(folder, max_iter, *more):
    return run_kedro(folder, "run", "--pipeline=train", "--params", ",".join([f"{FAST}{max_iter}", *more]))


def client(folder):
    return MlflowClient(f"sqlite:///{folder}/mlflow.db")


def get_alias_version(folder, alias):
    try:
        return str(client(folder).get_model_version_by_alias("flight_delay", alias).version)
    except MlflowException:
        return None


def versions(folder):
    return sorted(int(v.version) for v in client(folder).search_model_versions("name = 'flight_delay'"))


def infer(folder):
    return run_kedro(folder, "run", "--pipeline=inference")


def scored_by(folder):
    assert infer(folder).returncode == 0
    live = pd.read_parquet(folder / "data/03_primary/live.parquet")
    predictions = pd.read_parquet(folder / PREDICTIONS)
    assert len(predictions) == len(live)
    assert (predictions["tailnum"].fillna("") == live["tailnum"].fillna("")).all()
    return set(predictions["model_version"])


def test_a_worse_version_is_refused_and_found_and_deployed_only_by_force(project):
    worse = train(project, 1)
    assert worse.returncode == 0, worse.stderr
    assert "flight_delay version 2 is refused by the gate: champion" in worse.stdout
    assert get_alias_version(project, "champion") == "1"
    assert "Refused by the gate" in (project / "data/08_reporting/report.html").read_text()
    assert json.loads((project / "data/08_reporting/gate.json").read_text())["champion"] == "1"

    listed = run_kedro(project, "models", "--model", "flight_delay")
    assert "refused: champion" in listed.stdout
    assert "nope has no version" in run_kedro(project, "rollback", "--model", "nope").stderr
    query = "gate = refused and params.estimator.kwargs.max_iter < 5"
    (found,) = json.loads(succeed(project, "models", "find", query, "--json"))
    assert found["version"] == 2
    differences = json.loads(succeed(project, "models", "--diff", "champion", "2", "--json"))
    changed = {change["name"]: (change["before"], change["after"]) for change in differences["changes"]}
    assert changed["estimator.kwargs.max_iter"] == ("20", "1")
    assert "table" not in changed
    assert "roc_auc" in differences["metrics"]

    assert '--force --reason "…"' in fail(project, "promote", "2")
    assert "needs --reason" in fail(project, "promote", "2", "--force")
    assert "its versions are: 2, 1" in fail(project, "promote", "9")
    assert get_alias_version(project, "champion") == "1"


def test_a_rollback_is_what_inference_answers_each_row_with_next(project):
    worse = str(versions(project)[-1])  # the one that was refused
    succeed(project, "promote", worse, "--force", "--reason", "to see it fail")
    assert scored_by(project) == {worse}
    moved = json.loads(succeed(project, "rollback", "--json"))
    tags = client(project).get_model_version("flight_delay", worse).tags
    assert tags["promoted.reason"] == "to see it fail"
    assert tags["promoted.by"]
    assert "T" in tags["promoted.at"]
    assert moved == {"model": "flight_delay", "champion": "1", "before": worse}
    assert scored_by(project) == {"1"}
    assert "nothing to go back to" in fail(project, "rollback")
    assert get_alias_version(project, "champion") == "1"


def test_inference_refuses_a_table_that_lacks_columns_and_leaves_the_earlier_answers(project):
    (project / PREDICTIONS).write_bytes(b"earlier")
    live = pd.read_parquet(project / "data/03_primary/live.parquet")
    live.drop(columns="seats").to_parquet(project / "data/lacking.parquet")
    entry = {"type": "kedro_tabular.datasets.ParquetChunksDataset", "filepath": "data/lacking.parquet"}
    local = project / "conf/local/catalog.yml"
    local.write_text(yaml.safe_dump({"inference_table": entry}))
    refused = infer(project)
    local.unlink()
    assert refused.returncode != 0
    assert "Traceback" not in refused.stdout + refused.stderr
    assert "missing columns: seats" in refused.stderr
    assert (project / PREDICTIONS).read_bytes() == b"earlier"
    assert [path.name for path in (project / PREDICTIONS).parent.glob("pred*")] == ["predictions.parquet"]


def test_killed_before_it_is_promoted_a_version_leaves_the_champion_and_the_next_run_promotes_it(project):
    champion, before = get_alias_version(project, "champion"), versions(project)
    command = [sys.executable, "-c", KILLED, "--pipelines=train", "--params", f"{FAST}20"]
    killed = subprocess.run(command, cwd=project, env=environment(project), capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    (new,) = set(versions(project)) - set(before)
    assert get_alias_version(project, "champion") == champion
    assert client(project).get_model_version("flight_delay", str(new)).tags["gate"] == "passed"

    again = run_kedro(project, "run", "--pipelines=packaging", "--params", f"{FAST}20")

    assert again.returncode == 0, again.stderr

    assert versions(project)[-1] == new
    assert (get_alias_version(project, "champion"), get_alias_version(project, "previous")) == (str(new), champion)


def test_two_runs_at_once_end_with_two_versions_and_one_champion(tmp_path, copy_project):
    folder = copy_project(tmp_path)
    command = [sys.executable, "-m", "project", "--pipelines=train"]
    command += ["--params", f"{FAST}20"]
    both = [
        subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    printed = [process.communicate()[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    assert versions(folder) == [1, 2]
    assert get_alias_version(folder, "champion") == "2"
    assert get_alias_version(folder, "previous") == "1"


def test_two_runs_at_once_in_two_folders_on_one_store_end_too(tmp_path, copy_project):
    folders = [copy_project(tmp_path / name) for name in ("one", "two")]
    for folder in folders:
        settings = yaml.safe_load((folder / "conf/base/mlflow.yml").read_text())
        settings["server"]["mlflow_tracking_uri"] = f"sqlite:///{tmp_path}/mlflow.db"
        (folder / "conf/local/mlflow.yml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "project", "--pipelines=train"]
    command += ["--params", f"{FAST}20"]
    both = [
        subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for folder in folders
    ]
    printed = [process.communicate()[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    assert versions(tmp_path) == [1, 2]
    assert get_alias_version(tmp_path, "champion") in ("1", "2")
