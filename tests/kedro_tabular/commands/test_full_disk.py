"""A project on a disk that is full at different moments of a command: a real one of some megabytes."""

import logging
import shutil

import pandas as pd
import pytest
import requests
from kedro_tabular.serving.log.prediction_log import PredictionLog

from ...conftest import copy_run, run_kedro
from ...processes import serving
from ..disks import fill, make_room, small_disk
from ..lineage.adopted import copy_trained, open_store, run, runs, versions

logger = logging.getLogger(__name__)  # shows what was measured: -o log_cli=true --log-cli-level=INFO
pytestmark = pytest.mark.slow

TRAIN = ["run", "--pipeline=train", "--params", "estimator.kwargs.max_iter=30"]
INFERENCE = ["run", "--pipeline=inference"]
MONITORING = ["run", "--pipeline=monitoring", "--params", "window=36500d"]
# Bytes that are left, so that a training ends at its first write to the store, at a table, a plot, the model's files.
LEFT = [0, 2_000_000]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with version 1, which has answered some rows."""
    project = copy_trained(tmp_path_factory)
    with serving(project) as (_, url):
        run(project, "replay", "--url", url, "--outcomes-after", "0s")
    return project


@pytest.fixture
def project(trained, tmp_path):
    """A copy of it on a small disk."""
    with small_disk(tmp_path / "disk", 40_000_000) as disk:
        yield copy_run(trained, disk / "project")


def files(project):
    """The content of all files in data/, except those that SQLite keeps beside its own."""
    found = (path for path in (project / "data").rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in found if not path.name.startswith("prediction_log.db")}


def registered(project):
    """Versions, and the champion."""
    client = open_store(project)
    return sorted(versions(client)), str(client.get_model_version_by_alias("orders", "champion").version)


def count_logged(project):
    """The rows in the prediction log."""
    log = PredictionLog(f"sqlite:///{project}/data/07_model_output/prediction_log.db")
    try:
        return len(log.read())
    finally:
        log.close()


def fail_for_room(project, disk, *command):
    """A command, which has to end with a line that says which disk is full."""
    done = run_kedro(project, *command)
    printed = done.stdout + done.stderr
    assert done.returncode == 1, printed
    assert "Traceback" not in printed, printed
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: the disk is full: "), printed
    assert str(disk) in last
    return last


def check_whole(project, before):
    """Each file is as it was, or a whole one that was written since."""
    for path, content in files(project).items():
        assert not path.name.endswith(".partial")
        if content == before.get(path):
            continue
        if path.suffix == ".parquet":
            pd.read_parquet(path)
        elif path.suffix == ".json":
            pd.read_json(path, typ="series")
        elif path.suffix in (".svg", ".html"):
            assert content.rstrip().endswith((b"</svg>", b"</html>"))
    assert set(before) - set(files(project)) <= {path for path in before if path.parent.name == "plots"}


@pytest.mark.parametrize("left", LEFT)
def test_a_training_that_does_not_fit_registers_nothing_and_fits_later(project, left):
    before, known = files(project), registered(project)
    fill(project.parent, left)
    logger.info(fail_for_room(project, project.parent, *TRAIN))
    check_whole(project, before)
    assert registered(project) == known
    assert (project / "data/06_models/registered.json").read_bytes() == before[
        project / "data/06_models/registered.json"
    ]
    make_room(project.parent)
    run(project, *TRAIN)
    verdict = versions(open_store(project))["2"]["gate"]
    assert registered(project) == (["1", "2"], "2" if verdict == "passed" else "1")
    assert {run.info.status for run in runs(open_store(project))} <= {"FINISHED", "FAILED", "KILLED"}


@pytest.mark.parametrize(
    ("command", "folder"),
    [(INFERENCE, "07_model_output"), (MONITORING, "08_reporting")],
    ids=["inference", "monitoring"],
)
def test_other_pipelines_leave_what_was_there_and_fit_later(trained, tmp_path, command, folder):
    project = copy_run(trained, tmp_path / "project")
    (project / "data/07_model_output/predictions.parquet").write_bytes(b"earlier")
    (project / "data/08_reporting/alerts.json").write_text("{}")
    (project / "data" / folder).rename(tmp_path / "before")
    with small_disk(project / "data" / folder, 4_000_000) as disk:
        shutil.copytree(tmp_path / "before", disk, dirs_exist_ok=True)
        before = files(project)
        fill(disk, 0)
        logger.info(fail_for_room(project, disk, *command))
        make_room(disk)
        after = files(project)
        assert {path: after[path] for path in before} == before
        assert not [path for path in after if path.name.endswith(".partial")]
        run(project, *command)


def test_a_champion_does_not_change_where_the_store_has_no_room(project):
    run(project, *TRAIN)
    run(project, "promote", "2", "--force", "--reason", "whatever the gate says")
    fill(project.parent, 0)
    logger.info(fail_for_room(project, project.parent, "rollback"))
    assert registered(project) == (["1", "2"], "2")
    make_room(project.parent)
    run(project, "rollback")
    assert registered(project) == (["1", "2"], "1")


def test_the_service_starts_and_answers_again_without_a_restart(project):
    disk, rows = project.parent, pd.read_parquet(project / "data/03_primary/test.parquet").drop(columns="answer")
    body = f'{{"records": {rows.to_json(orient="records", date_format="iso", date_unit="s")}}}'
    before, answered = count_logged(project), 0
    with serving(project) as (_, url):
        fill(disk, 0)
        for _ in range(100):
            response = requests.post(f"{url}/predict", data=body, timeout=60)
            if response.status_code != 200:
                break
            answered += len(rows)
        assert (response.status_code, response.json()["error"]["code"]) == (503, "log_unavailable")
        make_room(disk)
        assert requests.post(f"{url}/predict", data=body, timeout=60).status_code == 200
    assert count_logged(project) == before + answered + len(rows)
