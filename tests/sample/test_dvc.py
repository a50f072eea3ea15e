"""`dvc repro` on a real repository: stages as processes, one MLflow run, reproducible bytes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import yaml
from kedro_tabular.kedro_project import find_producers
from kedro_tabular.lineage.catalog import Catalog
from kedro_tabular.lineage.origin import OriginReader
from kedro_tabular.lineage.provenance import expand_tags
from kedro_tabular.lineage.verification import find_problems
from mlflow.tracking import MlflowClient
from omegaconf import OmegaConf

from ..conftest import ROOT, fail, run_kedro, succeed
from ..repositories import commit, git

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory, copy_project):
    """A repository with a sample of the flights and a quick estimator, in which `dvc repro` has run once."""
    folder = copy_project(tmp_path_factory.mktemp("repository"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    (folder / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, folder / ".dvc")
    set_parameter(folder, "training", "max_iter", 20)
    set_parameter(folder, "evaluation", "importance_rows", 200)
    set_parameter(folder, "evaluation", "importance_repeats", 1)
    set_parameter(folder, "packaging", "resamples", 100)
    for pointer in folder.glob("data/01_raw/*.dvc"):
        pointer.unlink()  # it names the remote of the sample
    git(folder, "init", "--quiet")
    raw = sorted(str(path.relative_to(folder)) for path in folder.glob("data/01_raw/*.parquet"))
    dvc(folder, "add", "--quiet", *raw)
    commit(folder)
    dvc(folder, "repro", "--quiet")
    commit(folder)
    return folder


@pytest.fixture
def client(repository):
    return MlflowClient(f"sqlite:///{repository}/mlflow.db")


def environment(folder, **more):
    binaries = Path(sys.executable).parent
    paths = {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder / "src")}
    return os.environ | paths | more


def dvc(folder, *arguments, **more):
    command = [Path(sys.executable).with_name("dvc"), *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder, **more), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def set_parameter(folder, pipeline, key, value):
    path = folder / "conf" / "base" / f"parameters_{pipeline}.yml"
    path.write_text(re.sub(rf"(?m)^( *{key}:) .*", rf"\1 {value}", path.read_text()))


def pointer_md5(folder, table):
    pointer = yaml.safe_load((folder / f"data/01_raw/{table}.parquet.dvc").read_text())
    return pointer["outs"][0]["md5"]


def make_clone(repository, folder):
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", repository, clone], check=True)
    dvc(clone, "remote", "modify", "--local", "storage", "url", str(repository / ".dvc" / "storage"))
    return clone


def stages_run(folder, **more):
    return re.findall(r"Running stage '(\w+)'", dvc(folder, "repro", **more))


def runs(client):
    return client.search_runs([e.experiment_id for e in client.search_experiments()])


def test_the_check_of_dvc_yaml_says_what_differs(repository):
    path = repository / "conf" / "base" / "catalog.yml"
    kept = path.read_text()
    path.write_text(kept.replace("data/06_models/model.skops", "data/06_models/moved.skops", 1))
    checked = run_kedro(repository, "dvc", "check")
    path.write_text(kept)
    assert checked.returncode != 0
    assert "kedro dvc sync" in checked.stderr
    assert "+    - data/06_models/moved.skops" in checked.stderr


def test_one_repro_is_one_run_and_one_version_with_all_that_made_it(repository, client):
    first = min(runs(client), key=lambda run: run.info.start_time)
    version = client.get_model_version("flight_delay", "1")
    assert version.run_id == first.info.run_id
    assert first.info.status == "FINISHED"
    assert "roc_auc" in first.data.metrics
    for name in ("late_after_minutes", "split.train", "estimator.kwargs.max_iter", "packaging.example_rows"):
        assert name in first.data.params
    flights = pointer_md5(repository, "flights")
    for tags in (first.data.tags, expand_tags(version.tags)):
        assert tags["data.flights"] == flights
        assert tags["git.dirty"] == "false"
    tables = {used.dataset.name: used.dataset.digest for used in first.inputs.dataset_inputs}
    assert tables["flights"] == flights
    assert {"train_table", "test_table"} <= set(tables)


def test_nothing_runs_twice(repository, client):
    before = len(runs(client))
    assert stages_run(repository) == []
    assert len(runs(client)) == before


def test_a_clone_makes_the_same_bytes_with_other_threads_and_registers_its_model(repository, tmp_path):
    dvc(repository, "push", "--quiet")
    clone = make_clone(repository, tmp_path)
    dvc(clone, "pull", "--quiet", *[str(path) for path in clone.glob("data/01_raw/*.dvc")])

    assert len(stages_run(clone, OMP_NUM_THREADS="2")) == 6  # the fixture's ran with one thread

    changed = subprocess.run(["git", "-C", clone, "status", "--porcelain"], capture_output=True, check=True)
    assert changed.stdout == b""
    client = MlflowClient(f"sqlite:///{clone}/mlflow.db")
    assert [run.info.status for run in runs(client)] == ["FINISHED"]
    assert client.get_model_version_by_alias("flight_delay", "champion").run_id == runs(client)[0].info.run_id


def test_a_change_runs_its_stage_and_the_later_ones_and_continues_the_run_of_the_model(repository, client):
    nodes = repository / "src/project/pipelines/evaluation/nodes.py"
    nodes.write_text(nodes.read_text() + "\n# changed\n")
    before = len(runs(client))
    assert stages_run(repository) == ["evaluation"]  # the same metrics again: packaging has nothing to do
    assert len(runs(client)) == before
    set_parameter(repository, "training", "max_iter", 25)
    assert stages_run(repository) == ["training", "evaluation", "packaging"]
    assert len(runs(client)) == before + 1
    git(repository, "checkout", ".")
    assert dvc(repository, "checkout", "--quiet") == ""


def test_a_killed_stage_leaves_no_run_open_and_no_version_twice(repository, client):
    set_parameter(repository, "training", "max_iter", 2000)
    command = [Path(sys.executable).with_name("kedro"), "run", "--pipelines=training"]
    process = subprocess.Popen(
        command, cwd=repository, env=environment(repository), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    known = {run.info.run_id for run in runs(client)}
    started = None
    while started is None and process.poll() is None:
        time.sleep(0.1)
        started = next(
            (run for run in runs(client) if "process" in run.data.tags and run.info.run_id not in known), None
        )
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert started is not None
    assert client.get_run(started.info.run_id).info.status == "RUNNING"
    git(repository, "checkout", ".")
    versions = len(client.search_model_versions("name = 'flight_delay'"))

    done = [run_kedro(repository, "run", "--pipelines=packaging") for _ in range(2)]

    assert [process.returncode for process in done] == [0, 0], done[0].stderr
    assert client.get_run(started.info.run_id).info.status == "KILLED"
    assert len(client.search_model_versions("name = 'flight_delay'")) - versions <= 1
    dvc(repository, "checkout", "--quiet", "--force")


def test_lineage_tells_and_verifies(repository, client):
    told = run_kedro(repository, "lineage", "1", "--verify")
    assert told.returncode == 0, told.stderr
    assert pointer_md5(repository, "planes") in told.stdout
    by_file = succeed(repository, "lineage", "data/01_raw/planes.parquet", "--json")
    assert client.get_model_version("flight_delay", "1").run_id in by_file
    assert "no-such-thing" in fail(repository, "lineage", "no-such-thing")


@pytest.fixture
def faults(repository):
    """What is wrong with version 1, as `kedro lineage 1 --verify` finds it."""
    mlflow.set_tracking_uri(f"sqlite:///{repository}/mlflow.db")
    entries = OmegaConf.merge(*map(OmegaConf.load, sorted(repository.glob("conf/base/catalog*.yml"))))
    paths = {
        name: {"type": entry["type"], "filepath": entry["filepath"]}
        for name, entry in entries.items()
        if "filepath" in entry
    }
    reader = OriginReader(repository, Catalog(paths), "flight_delay")
    return lambda: list(find_problems(reader.read("1"), repository, "flight_delay", find_producers()))


def test_a_raw_file_that_is_lost_or_corrupted_is_named(repository, faults):
    assert faults() == []
    md5 = pointer_md5(repository, "planes")
    path = repository / "data/01_raw/planes.parquet"
    cached, pushed = (
        repository / ".dvc" / place / "files" / "md5" / md5[:2] / md5[2:] for place in ("cache", "storage")
    )
    content = cached.read_bytes()
    for copy in (path, cached):
        copy.unlink()
    pushed.unlink(missing_ok=True)
    assert [fault for fault in faults() if f"data: data/01_raw/planes.parquet ({md5})" in fault]
    cached.write_bytes(content[:-1])
    assert [fault for fault in faults() if "cache: data/01_raw/planes.parquet" in fault]
    cached.write_bytes(content)
    dvc(repository, "checkout", "--quiet", "--force")
    assert faults() == []


@pytest.mark.parametrize("name", ["model.skops", "requirements.lock"])
def test_an_archived_file_with_other_bytes_is_named(repository, client, faults, name):
    version = client.get_model_version("flight_delay", "1")
    (archived,) = (
        path
        for path in (repository / "mlartifacts").rglob(name)
        if {version.run_id, version.source.removeprefix("models:/")} & set(path.parts)
    )
    content = archived.read_bytes()
    archived.write_bytes(content[:-1])
    assert [fault for fault in faults() if name in fault]
    archived.unlink()
    assert [fault for fault in faults() if name in fault]
    archived.write_bytes(content)


def test_a_raw_file_changed_behind_dvcs_back_is_named(repository):
    planes = repository / "data/01_raw/planes.parquet"
    kept = planes.read_bytes()
    pd.read_parquet(planes).iloc[1:].to_parquet(planes)
    run = run_kedro(repository, "run", "--pipelines=ingestion")
    planes.write_bytes(kept)
    dvc(repository, "checkout", "--quiet", "--force")
    assert "data/01_raw/planes.parquet differs from its .dvc file" in " ".join(run.stdout.split())


def test_a_version_trained_with_uncommitted_changes_and_other_parameters_is_reproduced_in_a_clone(
    repository, client, tmp_path
):
    nodes = repository / "src/project/pipelines/training/nodes.py"
    nodes.write_text(nodes.read_text() + "\n# not committed\n")
    trained = run_kedro(repository, "run", "--pipeline=train", "--params", "estimator.kwargs.max_iter=15")
    assert trained.returncode == 0, trained.stderr
    git(repository, "checkout", ".")
    newest = max(int(v.version) for v in client.search_model_versions("name = 'flight_delay'"))
    dvc(repository, "push", "--quiet")
    clone = make_clone(repository, tmp_path)
    shutil.copy(repository / "mlflow.db", clone)
    artifacts = repository / "mlartifacts"
    shutil.copytree(artifacts, clone / "mlartifacts")
    artifacts.rename(repository / "moved")  # the copy must not reach back to where it came from

    again = run_kedro(clone, "reproduce", str(newest))

    (repository / "moved").rename(artifacts)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "reproduced: identical model, metrics and predictions" in again.stdout
    assert len(runs(MlflowClient(f"sqlite:///{clone}/mlflow.db"))) == len(runs(client))
    listed = subprocess.run(["git", "-C", clone, "worktree", "list"], capture_output=True, check=True)
    assert listed.stdout.count(b"\n") == 1
    assert not (clone / "data/01_raw/flights.parquet").exists()
