"""`kedro adopt --by` and `kedro models train`: many models, of which each is as if it were trained alone."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml
from kedro_tabular.lineage.hashes import content_md5
from kedro_tabular.models import run_all

from ...conftest import make_table, run_kedro
from ...repositories import commit
from ..lineage.adopted import QUICK, dvc, make_repository, open_store, run, runs, set_parameter, versions

pytestmark = pytest.mark.slow

COLOURS = ["blue", "green", "red"]
ALL = [*COLOURS, "pooled"]
TABLE = Path("data/01_raw/orders.csv")


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    """A project with a model for each colour; nothing is trained."""
    project = make_repository(tmp_path_factory.mktemp("here") / "project")
    path = project / "conf" / "base" / "parameters_data_prep.yml"
    path.write_text(re.sub("(?m)^segment_rows: .*", "segment_rows: 200", path.read_text()))
    commit(project)
    table = make_table(1500)
    table.loc[table.index % 50 == 0, "colour"] = "gold"
    table.to_csv(project.parent / "orders.csv", index=False)
    options = ["--target", "answer", "--time", "when", "--estimator", "boosting", "--by", "colour"]
    said = run(project, "adopt", str(project.parent / "orders.csv"), *options)
    assert "left to pooled, with fewer than 200 training rows (segment_rows), or none in another part: gold" in said
    for pipeline, values in QUICK.items():
        for key, value in values.items():
            set_parameter(project, pipeline, key, value)
    path = project / "conf" / "base" / "parameters_training.yml"
    path.write_text(re.sub("(?m)^( *)max_iter: .*", r"\1max_iter: 20", path.read_text()))
    commit(project)
    return project


def copy(project, folder):
    return shutil.copytree(project, folder / "project", symlinks=True)


@pytest.fixture(scope="module")
def trained(adopted, tmp_path_factory):
    """The project with all models trained by two processes."""
    project = copy(adopted, tmp_path_factory.mktemp("trained"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(str(shutil.which("git"))).parent))  # the environment is not activated
        run(project, "models", "train", "--all", "--jobs", "2")
    commit(project)
    return project


def fingerprint(project, model):
    """What a training made: the models, the metrics and the verdict."""
    fitted = sorted((project / "data" / "06_models" / model).glob("*.skops"))
    reports = [project / "data" / "08_reporting" / model / name for name in ("metrics.json", "gate.json")]
    verdict = [(rule["rule"], rule["passed"]) for rule in json.loads(reports[1].read_text())["rules"]]
    return [content_md5(path) for path in fitted], json.loads(reports[0].read_text()), verdict


def trained_models(said):
    return sorted(line.split()[0] for line in said.splitlines() if re.search(r"  (passed|refused)  ", line))


def test_each_value_with_rows_enough_gets_a_model_in_a_file(adopted):
    folders = adopted / "conf" / "models"
    assert sorted(path.name for path in folders.iterdir()) == sorted(ALL)
    for colour in COLOURS:
        text = (folders / colour / "parameters.yml").read_text()
        assert yaml.safe_load(text) == {"table": {"where": {"colour": colour}}}
        assert len(text.splitlines()) <= 10
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEDRO_MODEL", "red")  # does not count
        run(adopted, "dvc", "check")


def test_each_model_has_a_run_a_version_and_files_of_its_own(trained):
    client = open_store(trained)
    for model in ALL:
        assert list(versions(client, model)) == ["1"]
        params = client.get_run(client.get_model_version(model, "1").run_id).data.params
        assert params.get("table.where.colour") == (model if model in COLOURS else None)
        segment = f"colour = {model}" if model in COLOURS else "all rows"
        assert client.get_registered_model(model).tags == {"project": "project", "segment": segment, "target": "answer"}
        rows = pd.read_parquet(trained / "data" / "03_primary" / model / "train.parquet")
        assert set(rows["colour"]) == ({model} if model in COLOURS else {*COLOURS, "gold"})
    assert sorted(one.info.status for one in runs(client)) == ["FINISHED"] * len(ALL)


def test_what_was_trained_is_what_dvc_has(trained):
    assert "no model has changed" in run(trained, "models", "train", "--changed")
    assert "up to date" in dvc(trained, "repro", "-R", "conf/models")
    said = run(trained, "lineage", "red@champion", "--verify")
    assert str(TABLE) in said and "data/02_intermediate/segments/red.parquet" in said
    assert "identical model" in run(trained, "reproduce", "red/1")
    table = run(trained, "models", "--diff", "red@champion", "blue/1")
    assert "red/1" in table and "table.where.colour" in table


def test_any_number_of_processes_and_dvc_make_the_same(adopted, trained, tmp_path):
    project = copy(adopted, tmp_path)
    run(project, "models", "train", "red", "pooled", "--jobs", "1")
    dvc(project, "repro", "--quiet", "conf/models/blue/dvc.yaml")
    for model in ("red", "pooled", "blue"):
        assert fingerprint(project, model) == fingerprint(trained, model)


def test_a_change_trains_the_models_that_it_concerns(trained, tmp_path):
    project = copy(trained, tmp_path)
    own = project / "conf" / "models" / "green" / "parameters.yml"
    own.write_text(own.read_text() + "estimator: {kwargs: {max_iter: 25}}\n")  # a key that its dvc.yaml lacks
    assert trained_models(run(project, "models", "train", "--changed")) == ["green"]

    table = pd.read_csv(project / TABLE, float_precision="round_trip")
    table.loc[table["colour"] == "red", "size"] += 0.001
    (project / TABLE).unlink()
    table.to_csv(project / TABLE, index=False)
    dvc(project, "add", "--quiet", str(TABLE))
    assert trained_models(run(project, "models", "train", "--changed")) == ["pooled", "red"]


def test_a_new_model_is_a_file(trained, tmp_path):
    project = copy(trained, tmp_path)
    folder = project / "conf" / "models" / "warm"
    folder.mkdir()
    (folder / "parameters.yml").write_text("table: {where: {colour: [red, gold]}}\n")
    assert trained_models(run(project, "models", "train", "--changed")) == ["warm"]
    assert list(versions(open_store(project), "warm")) == ["1"]

    shutil.rmtree(folder)
    assert "no model has changed" in run(project, "models", "train", "--changed")


def test_one_that_fails_is_told_with_its_reason_and_stops_no_other(adopted, tmp_path):
    project = copy(adopted, tmp_path)
    (project / "conf/models/blue/parameters.yml").write_text(
        "table: {where: {colour: blue}, columns: {size: {max: 1}}}\n"
    )
    done = run_kedro(project, "models", "train", "blue", "red", "green", "--jobs", "2")
    assert done.returncode == 1
    assert trained_models(done.stdout) == ["green", "red"]
    assert "Error: 1 of 3 models failed:\n- blue: " in done.stderr
    assert "size" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert versions(open_store(project), "blue") == {}


def test_the_next_one_starts_before_what_became_of_the_last_one_is_told(adopted, tmp_path):
    events = list(run_all(copy(adopted, tmp_path), ["red", "green"], "inference", None, jobs=1, cores=1))
    told = [(event.model, event.outcome is not None) for event in events if not event.node]
    assert told == [("red", False), ("green", False), ("red", True), ("green", True)]
    assert all(event.outcome.reason for event in events if event.outcome)  # there is no champion to score with


@pytest.mark.parametrize("victim", ["worker", "parent"])
def test_after_a_kill_the_next_call_ends_the_work(trained, tmp_path, victim):
    project = copy(trained, tmp_path)
    for model in ("red", "green"):
        path = project / "conf" / "models" / model / "parameters.yml"
        path.write_text(path.read_text() + "estimator: {kwargs: {max_iter: 25}}\n")
    command = [Path(sys.executable).with_name("kedro"), "models", "train", "red", "green"]
    log = project / "data" / "08_reporting" / "red" / "train.log"
    log.unlink()  # of the first training
    with (project / "printed.txt").open("w") as output:
        parent = subprocess.Popen(command, cwd=project, stdout=output, stderr=output, env=None)
        until = time.monotonic() + 120
        while not log.exists() or "train_estimator" not in log.read_text():
            assert time.monotonic() < until and parent.poll() is None, (project / "printed.txt").read_text()
            time.sleep(0.05)
        children = psutil.Process(parent.pid).children(recursive=True)
        (worker,) = [one for one in children if str(log) in [file.path for file in one.open_files()]]
        (worker if victim == "worker" else parent).send_signal(signal.SIGKILL)
        assert parent.wait() != 0
    psutil.wait_procs([worker], timeout=60)
    said = run(project, "models", "train", "--changed")
    client = open_store(project)
    assert trained_models(said) == (["red"] if victim == "worker" else ["green", "red"])
    assert [list(versions(client, model)) for model in ALL] == [["1"], ["1", "2"], ["1", "2"], ["1"]]
    assert {one.info.status for one in runs(client)} <= {"FINISHED", "FAILED", "KILLED"}


def test_many_are_scored_promoted_and_listed(trained, tmp_path):
    project = copy(trained, tmp_path)
    run(project, "models", "score", "--all", "--jobs", "2")
    for model in ALL:
        scored = pd.read_parquet(project / "data" / "07_model_output" / model / "predictions.parquet")
        assert set(scored["source"]) == {"model"}
    assert "red version 1 is champion already" in run(project, "promote", "red/1", "blue@champion")
    listed = json.loads(run(project, "models", "--json").partition("]")[0] + "]")
    assert [one["model"] for one in listed] == sorted(ALL)
    assert {one["champion"] for one in listed} == {"1"}
    done = run_kedro(project, "rollback", "red", "blue")
    assert done.returncode == 1
    assert "red" in done.stderr


def test_a_project_with_models_says_that_one_has_to_be_chosen(trained):
    commands = (["run", "--pipeline=train"], ["models", "train"], ["models", "train", "black"], ["promote", "1"])
    for command in (*commands, ["rollback"], ["gate"], ["lineage", "champion"]):
        done = run_kedro(trained, *command)
        assert done.returncode != 0
        assert "blue, green, pooled, red" in done.stderr
