"""DVC's experiments and stages on a real repository: each logs to the project's store what it used."""

import shutil
import subprocess

import pytest
import yaml

from ...repositories import commit, git
from .adopted import copy_reproduced, dvc, open_store, run, runs, versions

pytestmark = pytest.mark.slow

MAX_ITER = "conf/base/parameters_training.yml:estimator.kwargs.max_iter"


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    """A project in which `dvc repro` has run once."""
    return copy_reproduced(tmp_path_factory)


@pytest.fixture(scope="module")
def tried(adopted):
    """The name of an experiment that has run in a temporary folder, with another number of iterations."""
    dvc(adopted, "exp", "run", "--temp", "--name", "try-13", "-S", f"{MAX_ITER}=13")
    return "try-13"


def iterations(client):
    """The value of the parameter with which each version was trained."""
    return {
        str(version.version): client.get_run(version.run_id).data.params["estimator.kwargs.max_iter"]
        for version in client.search_model_versions("name = 'orders'")
    }


def restore(project):
    git(project, "checkout", "--quiet", ".")
    git(project, "clean", "--quiet", "-d", "--force")
    dvc(project, "checkout", "--quiet", "--force")


def test_one_repro_is_one_run_with_the_parameters_of_dvc_lock(adopted):
    client = open_store(adopted)
    (first,) = runs(client)
    assert list(versions(client)) == ["1"]
    assert "roc_auc" in first.data.metrics
    lock = yaml.safe_load((adopted / "dvc.lock").read_text())["stages"]["training"]["params"]
    assert lock["conf/base/parameters_training.yml"]["estimator"]["kwargs"]["max_iter"] == 20
    assert first.data.params["estimator.kwargs.max_iter"] == "20"
    assert first.data.tags["env.outside_lock"] == "none"


def test_repro_refuses_a_value_of_conf_local_and_a_run_without_dvc_takes_it(adopted):
    client, local = open_store(adopted), adopted / "conf/local/parameters.yml"
    before, lock = len(runs(client)), (adopted / "dvc.lock").read_text()
    local.write_text("estimator: {kwargs: {max_iter: 7}}\n")
    said = dvc(adopted, "repro", "--force", "--single-item", "training", fails=True)
    assert "estimator.kwargs.max_iter: 7 in conf/local/parameters.yml, but DVC tracks 20" in said
    assert f"dvc exp run -S {MAX_ITER}=7" in said
    assert (adopted / "dvc.lock").read_text() == lock
    assert len(runs(client)) == before
    run(adopted, "run", "--pipelines=training")
    local.unlink()
    assert {"7", "20"} == {found.data.params["estimator.kwargs.max_iter"] for found in runs(client)}
    dvc(adopted, "checkout", "--quiet", "--force")
    assert "up to date" in dvc(adopted, "repro")


def test_an_option_of_the_catalog_runs_the_stages_that_read_with_it(adopted):
    path = adopted / "conf/base/catalog.yml"
    entries = path.read_text()
    path.write_text(entries.replace("rows: 50_000", "rows: 40_000"))  # of a file that no stage reads
    assert "up to date" in dvc(adopted, "repro")
    path.write_text(entries.replace("filepath: data/06_models/fallback", "filepath: data/06_models/./fallback"))
    assert "training" in dvc(adopted, "status")
    path.write_text(entries)


def check_registered(project, name):
    """The version that an experiment in another folder has registered in the project's store, as one of the project."""
    client = open_store(project)
    (new,) = [version for version, tags in versions(client).items() if tags.get("experiment") == name]
    assert str(client.get_model_version_by_alias("orders", "champion").version) == "1"
    made_by = client.get_run(client.get_model_version("orders", new).run_id)
    assert "roc_auc" in made_by.data.metrics
    assert ".dvc/tmp" not in made_by.info.artifact_uri
    for used in made_by.inputs.dataset_inputs:
        assert ".dvc/tmp" not in used.dataset.source
    return new


def test_an_experiment_in_a_temporary_folder_registers_in_the_projects_store(adopted, tried):
    new = check_registered(adopted, tried)
    assert iterations(open_store(adopted))[new] == "13"
    assert "verified" in run(adopted, "lineage", new, "--verify")

    dvc(adopted, "exp", "apply", tried)
    assert f"The files in data/ are those of version {new}." in run(adopted, "models")
    assert "up to date" in dvc(adopted, "repro")
    assert f"version                {new}" in run(adopted, "lineage", "data/06_models/model.skops")
    restore(adopted)


def test_an_experiment_logs_to_the_store_that_conf_local_names(adopted):
    local = adopted / "conf/local/mlflow.yml"
    arguments = {"artifact_location": "others"}
    experiment = {"name": "mine", "create_experiment_kwargs": arguments}
    server = {"mlflow_tracking_uri": "sqlite:///others/mine.db"}
    local.write_text(yaml.safe_dump({"server": server, "tracking": {"experiment": experiment}}))
    (adopted / "others").mkdir()
    dvc(adopted, "exp", "run", "--temp", "--name", "try-14", "-S", f"{MAX_ITER}=14")
    local.unlink()
    client = open_store(adopted, "others/mine.db")
    assert iterations(client) == {"1": "14"}
    assert list((adopted / "others").rglob("model.skops"))
    shutil.rmtree(adopted / "others")


def test_a_queued_experiment_runs_the_code_with_which_it_was_queued(adopted):
    (nodes,) = adopted.glob("src/*/pipelines/training/nodes.py")
    text = nodes.read_text()
    fit = "    return fit_on_features("
    changed = text.replace(fit, f"    unfitted.set_params(max_leaf_nodes=3)\n{fit}")
    assert changed != text
    nodes.write_text(changed)
    dvc(adopted, "exp", "run", "--queue", "--name", "code")
    nodes.write_text("raise RuntimeError('later code')\n")
    dvc(adopted, "queue", "start")
    dvc(adopted, "queue", "logs", "--follow", "code")
    dvc(adopted, "queue", "stop", "--kill")
    restore(adopted)

    new = check_registered(adopted, "code")
    tags = versions(open_store(adopted))
    assert tags[new]["data.model"] != tags["1"]["data.model"]
    assert tags[new]["git.dirty"] == "true"
    again = run(adopted, "reproduce", new)
    assert "reproduced: identical model, metrics and predictions" in again


def test_an_experiment_of_another_clone_is_registered_when_it_is_applied(adopted, tried, tmp_path):
    dvc(adopted, "exp", "apply", tried)
    commit(adopted)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", adopted, clone], check=True)
    dvc(clone, "cache", "dir", "--local", str(adopted / ".dvc" / "cache"))
    dvc(clone, "checkout", "--quiet")
    assert "up to date" in dvc(clone, "repro")
    advice = "The model in data/ is not registered. To register it: kedro run --pipelines=evaluation,packaging"
    assert advice in run(clone, "models")
    run(clone, "run", "--pipelines=evaluation,packaging")
    assert "The files in data/ are those of version 1." in run(clone, "models")
    client = open_store(clone)
    (made,) = runs(client)
    assert "roc_auc" in made.data.metrics
    assert made.data.params["estimator.kwargs.max_iter"] == "13"
    git(adopted, "reset", "--quiet", "--hard", "HEAD~1")
    restore(adopted)


def test_the_values_of_a_tracked_environment_are_in_dvc_lock_and_in_one_run(adopted):
    client = open_store(adopted)
    before = {found.info.run_id for found in runs(client)}
    staging = adopted / "conf" / "staging"
    staging.mkdir()
    (staging / "parameters_training.yml").write_text("estimator: {kwargs: {max_iter: 16}}\n")
    run(adopted, "dvc", "sync", "--env", "staging")
    dvc(adopted, "repro")
    lock = yaml.safe_load((adopted / "dvc.lock").read_text())["stages"]["training"]["params"]
    assert lock["conf/staging/parameters_training.yml"] == {"estimator": {"kwargs": {"max_iter": 16}}}
    (made,) = [found for found in runs(client) if found.info.run_id not in before]
    assert made.data.params["estimator.kwargs.max_iter"] == "16"
    assert "roc_auc" in made.data.metrics
    (staging / "parameters_training.yml").write_text("estimator: {kwargs: {max_iter: 17}}\n")
    assert "training:" in dvc(adopted, "status")
    restore(adopted)


def test_values_that_refer_to_others_are_tracked_and_give_one_run(adopted):
    client = open_store(adopted)
    before = {found.info.run_id for found in runs(client)}
    path = adopted / "conf/base/parameters_training.yml"
    path.write_text(path.read_text().replace("max_iter: 20", "max_iter: ${globals:iterations}"))
    (adopted / "conf/base/globals.yml").write_text("iterations: 18\n")
    run(adopted, "dvc", "sync")
    dvc(adopted, "repro")
    (made,) = [found for found in runs(client) if found.info.run_id not in before]
    assert made.data.params["estimator.kwargs.max_iter"] == "18"
    assert "up to date" in dvc(adopted, "status")
    (adopted / "conf/base/globals.yml").write_text("iterations: 19\n")
    assert "training:" in dvc(adopted, "status")
    restore(adopted)
