"""One process that runs a pipeline for one model, and tells its parent of it."""

import json
import logging
import os
import traceback
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import click
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from threadpoolctl import threadpool_limits

from ..config import read_conf
from ..errors import AlertError, reports_user_errors
from ..kedro_project import MODEL_VARIABLE, TRAIN
from ..lineage import Catalog
from .dvc_files import DvcError, commit_model

_MONITORING, _MONITORING_REPORT = "monitoring", "monitoring_report"
_NODES = "kedro_tabular.hooks.summary"  # the logger that names each node when it has run


class Task(NamedTuple):
    """What a process does: the pipeline that it runs for a model, and the file that has what it prints."""

    project: Path
    model: str
    pipeline: str
    environment: str | None
    threads: int
    log: Path
    parameters: Mapping[str, Any] | None = None


class Outcome(NamedTuple):
    """What became of a run: its verdict, metrics and version, or the reason why it failed.

    `against_pooled` is how the model of a segment is, compared with that of all rows.
    """

    reason: str = ""
    verdict: str = ""
    version: str = ""
    against_pooled: str = ""
    metrics: dict[str, float] = {}  # noqa: RUF012 - a NamedTuple's default, which is never changed


class _Reporter(logging.Handler):
    """Sends the name of each node that has run."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        """Send the first word of a message."""
        self._connection.send(record.getMessage().split()[0])


def run_task(task: Task, connection: Connection) -> None:
    """Run the pipeline, send each node that has run, record what a training has made in DVC, and send the outcome.

    The process ends with its task, as MLflow and Kedro keep state of a run in the process.
    """
    os.chdir(task.project)
    os.environ[MODEL_VARIABLE] = task.model
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    logging.getLogger(_NODES).addHandler(_Reporter(connection))
    try:
        with threadpool_limits(task.threads):
            _run(task)
        if task.pipeline == TRAIN:
            commit_model(task.project, task.model)
        outcome = _read_outcome(task)
    except click.ClickException as error:
        outcome = Outcome(reason=error.message)
    except DvcError as error:
        outcome = Outcome(reason=str(error))
    except Exception as error:  # a bug of the code, or of the project's
        traceback.print_exc()
        outcome = Outcome(reason=f"{type(error).__name__}: {error} (see {task.log.relative_to(task.project)})")
    connection.send(outcome)


@reports_user_errors
def _run(task: Task) -> None:
    from . import prepared  # in the process that this one is forked from, it has been imported

    if task.project != prepared.PROJECT:
        bootstrap_project(task.project)
    outputs = [_MONITORING_REPORT] if task.pipeline == _MONITORING else None  # without its alerts
    parameters = dict(task.parameters or {})
    session = KedroSession.create(task.project, env=task.environment, runtime_params=parameters)
    with session, suppress(AlertError):  # the parent tells of all alerts
        session.run(pipeline_names=[task.pipeline], to_outputs=outputs)


def _read_outcome(task: Task) -> Outcome:
    """The verdict, metrics and version that the run has written."""
    catalog = Catalog(read_conf(task.project, task.environment)["catalog"])
    if task.pipeline != TRAIN:
        monitoring = _read(catalog, task, "monitoring") if task.pipeline == _MONITORING else {}
        return Outcome(verdict=str(monitoring.get("verdict", "done")))
    gate, metrics = (_read(catalog, task, name) for name in ("gate", "metrics"))
    pooled = str((gate.get("pooled") or {}).get("found", ""))
    return Outcome("", str(gate.get("verdict", "")), _newest_version(task.model), pooled, metrics)


def _newest_version(model: str) -> str:
    """The number and the aliases of the newest version; empty if there is none."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    newest = client.search_model_versions(f"name = '{model}'", 1, ["version_number DESC"])
    if not newest:
        return ""
    number = str(newest[0].version)
    aliases = client.get_registered_model(model).aliases  # a search gives none
    return " ".join([number, *(alias for alias, version in aliases.items() if str(version) == number)])


def _read(catalog: Catalog, task: Task, name: str) -> dict[str, Any]:
    path = catalog.path(name)
    file = task.project / str(path)
    return dict(json.loads(file.read_text(encoding="utf-8"))) if path and file.is_file() else {}
