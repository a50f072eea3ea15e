"""The process of a run, by which a run is ended that was killed."""

import logging
import socket

import psutil
from mlflow.entities import RunStatus
from mlflow.tracking import MlflowClient

from .run_context import PROCESS

logger = logging.getLogger(__name__)


def end_killed_runs(experiment_id: str) -> None:
    """End, as KILLED, the runs of this machine that are recorded as running but whose process has ended."""
    client = MlflowClient()
    running = f"attributes.status = 'RUNNING' and tags.{PROCESS} LIKE '{socket.gethostname()} %'"
    for run in client.search_runs([experiment_id], running):
        _, pid, started = run.data.tags[PROCESS].rsplit(" ", 2)
        if not _is_alive(int(pid), float(started)):
            client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED))
            logger.warning("run %s was killed and is now ended", run.info.run_id)


def _is_alive(pid: int, started: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1
    except psutil.NoSuchProcess:
        return False
