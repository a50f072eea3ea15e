"""The first command of a project is killed while it creates the MLflow store."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from ...conftest import copy_code, run_kedro

pytestmark = pytest.mark.slow

# Runs a command of kedro, which is killed after it has created a table.
KILLED = """
import os, signal, sys
from kedro.framework.cli.cli import main
from sqlalchemy import event
from sqlalchemy.engine import Engine

@event.listens_for(Engine, "after_cursor_execute")
def kill(connection, cursor, statement, parameters, context, many):
    if statement.strip().startswith("CREATE TABLE model_versions"):
        os.kill(os.getpid(), signal.SIGKILL)

sys.argv = ["kedro", "models"]
main()
"""


@pytest.mark.usefixtures("parameters")  # no command without a table
def test_killed_while_it_creates_the_store_the_next_command_creates_it(tmp_path):
    project = copy_code(tmp_path / "project")
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=project, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = run_kedro(project, "models")
    assert done.returncode == 0, done.stderr
    assert "no version found" in done.stdout
    with closing(sqlite3.connect(project / "mlflow.db")) as connection:
        assert connection.execute("SELECT count(*) FROM model_versions").fetchone() == (0,)
    assert {path.name for path in project.glob("mlflow.db*")} == {"mlflow.db", "mlflow.db.lock"}
