"""The commands that `kill.py` kills: how each is started, what it does at which moment, what must hold after it."""
# ruff: noqa: D102  # methods that `Kind` describes

import http.client
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from kill_checks import LOG, SERVED, Answer, Registry, check_answers, check_outcomes, query, read_registry

OUTPUT = "kill.log"  # of the last command, in the project
LOAD_SECONDS, CLIENTS, ROWS_OF_REQUEST = 4.0, 4, 3
OLD_ROWS, OLD_AGE = 5000, timedelta(days=100)
PATIENCE = 1800  # seconds, of a command


PROCESSES = multiprocessing.get_context("forkserver")
# What commands import, as that takes most of their time and nothing is written meanwhile. The first one sets variables.
PROCESSES.set_forkserver_preload(
    [
        "kedro_tabular.hooks",
        "kedro.framework.cli.cli",
        "kedro_datasets.pandas",
        "kedro_tabular.gate.packaging",
        "kedro_tabular.lineage.tracking",
        "kedro_tabular.monitoring.assessment",
        "kedro_tabular.registry.promotion",
        "kedro_tabular.serving.server",
        "alembic.command",
        "mlflow.pyfunc",
        "mlflow.store.model_registry.sqlalchemy_workspace_store",
        "mlflow.store.tracking.sqlalchemy_workspace_store",
        "pandera.pandas",
        "sklearn.ensemble",
        "sklearn.linear_model",
        "sklearn.preprocessing",
    ]
)


def _run(project: Path, arguments: tuple[str, ...]) -> None:
    """What the `kedro` of the environment does, in a group of processes of its own."""
    os.setsid()
    os.chdir(project)
    os.environ.update({"PYTHONPATH": str(project / "src"), "COLUMNS": "200"})
    sys.path.insert(0, str(project / "src"))
    output = os.open(project / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["kedro", *arguments]
    from kedro.framework.cli.cli import main

    main()


class Process:
    """A command of kedro in a group of processes of its own."""

    def __init__(self, project: Path, *arguments: str) -> None:
        self.output = project / OUTPUT
        self.output.write_text("")
        self._process = PROCESSES.Process(target=_run, args=(project, arguments))
        self._process.start()
        self.started = time.monotonic()

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def wait(self) -> int:
        """Wait for its end; the exit code. Raises TimeoutError."""
        self._process.join(PATIENCE)
        if self._process.exitcode is None:
            raise TimeoutError(f"a command did not end: {self.tail()}")
        return self._process.exitcode

    def signal(self, number: int) -> int:
        """Send a signal to the whole group, and wait for its end; the exit code."""
        assert self._process.pid is not None
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:  # it has no group yet, or has ended
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)
        return self.wait()

    def tail(self) -> str:
        """The end of its output."""
        return self.output.read_text(encoding="utf-8", errors="replace")[-3000:]


class Clients:
    """Clients that send rows without a pause, and the rows of the responses with status 200."""

    def __init__(self, port: int, rows: list[dict[str, Any]]) -> None:
        self._port, self._rows, self._stopped = port, rows, threading.Event()
        self.answers: dict[str, Answer] = {}
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, seed: int) -> None:
        rng = random.Random(seed)
        while not self._stopped.is_set():
            with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
                try:
                    while not self._stopped.is_set():
                        self._send(connection, rng.choices(self._rows, k=ROWS_OF_REQUEST))
                except (OSError, http.client.HTTPException):
                    time.sleep(0.02)  # it does not listen yet, or was killed

    def _send(self, connection: http.client.HTTPConnection, rows: list[dict[str, Any]]) -> None:
        connection.request("POST", "/predict", json.dumps({"records": rows}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
        if response.status == 200:
            payload = json.loads(body)
            for row, sent in zip(payload["predictions"], rows, strict=True):
                self.answers[row["id"]] = Answer(row["prediction"], payload["version"], sent)

    def stop(self) -> dict[str, Answer]:
        """The rows that were answered, by their ids."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return self.answers


class Kind:
    """A kind of command: how it is prepared and started, its event, and what must hold after it."""

    name: str
    event: str  # what it is called

    def __init__(self, project: Path) -> None:
        self.project = project

    def prepare(self) -> None:
        """What must be there before the command."""

    def command(self) -> list[str]:
        """The arguments of kedro."""
        raise NotImplementedError

    def watch(self) -> Callable[[], bool]:
        """Called before the command starts. The function says whether the event has happened."""
        raise NotImplementedError

    def start(self) -> Process:
        """Start the command."""
        return Process(self.project, *self.command())

    def finish(self, process: Process) -> int:
        """Wait until the command has done its work; the exit code."""
        return process.wait()

    def targets(self, before: Registry, after: Registry) -> set[str | None]:
        """The versions that the command was to make champion."""
        return set()

    def check(self) -> Iterator[str]:
        """What is wrong after the command was killed."""
        yield from ()

    def restore(self) -> None:
        """Called when the project is again as it was at the start."""

    def check_end(self, before: Registry, after: Registry) -> Iterator[str]:
        """What is wrong after the command was repeated."""
        if after.champion not in self.targets(before, after) | {before.champion}:
            yield f"the champion is version {after.champion}"

    def place(self, process: Process, has_happened: bool) -> str:
        """Where the kill struck."""
        return f"after {self.event}" if has_happened else f"before {self.event}"


def last_node(process: Process, default: str) -> str:
    """The node after which a pipeline was killed."""
    nodes = re.findall(r"(\w+) +\d+\.\d s\b", process.output.read_text(encoding="utf-8", errors="replace"))
    return f"after node {nodes[-1]}" if nodes else default


class Train(Kind):
    """`kedro run --pipelines=train`, whose new version becomes champion."""

    name, event = "train", "the version is registered"

    def command(self) -> list[str]:
        return ["run", "--pipelines=train"]

    def watch(self) -> Callable[[], bool]:
        before = read_registry(self.project).folders.keys()
        return lambda: read_registry(self.project).folders.keys() != before

    def targets(self, before: Registry, after: Registry) -> set[str | None]:
        return set(after.folders.keys() - before.folders.keys())

    def check_end(self, before: Registry, after: Registry) -> Iterator[str]:
        if after.champion != max(after.folders, key=int):
            yield f"the champion is version {after.champion}, and not the newest one"

    def place(self, process: Process, has_happened: bool) -> str:
        return f"after {self.event}" if has_happened else last_node(process, "before the first node")


class Promote(Kind):
    """`kedro promote` of the other one of the two newest versions."""

    name, event = "promote", "the lock is taken"

    def prepare(self) -> None:
        registry = read_registry(self.project)
        newest = sorted(registry.folders, key=int)[-2:]
        (self._target,) = {*newest} - {str(registry.champion)} if registry.champion in newest else newest[:1]

    def command(self) -> list[str]:
        return ["promote", self._target, "--force", "--reason=a trial"]

    def watch(self) -> Callable[[], bool]:
        return lambda: read_registry(self.project).is_locked

    def targets(self, before: Registry, after: Registry) -> set[str | None]:
        return {self._target}

    def check_end(self, before: Registry, after: Registry) -> Iterator[str]:
        champion, previous = after.champion, after.aliases.get("previous")
        if (champion, previous) != (self._target, before.champion):
            yield f"the champion is version {champion}, the previous one version {previous}"
        if after.is_locked:
            yield "the lock is still taken"


class Monitor(Kind):
    """The monitoring of the prediction log."""

    name, event = "monitoring", "the verdict is written"

    def command(self) -> list[str]:
        return ["run", "--pipelines=monitoring", "--params=window=36500d"]

    def watch(self) -> Callable[[], bool]:
        verdict = self.project / "data" / "08_reporting" / "monitoring.json"
        before = verdict.stat().st_mtime_ns if verdict.exists() else 0
        return lambda: verdict.exists() and verdict.stat().st_mtime_ns != before

    def place(self, process: Process, has_happened: bool) -> str:
        return last_node(process, "before the first node")


class Prune(Kind):
    """`kedro log prune` of thousands of old rows with their outcomes."""

    name, event = "prune", "the first rows are deleted"
    _count = "SELECT count(*) FROM predictions WHERE id LIKE 'old-%'"

    def prepare(self) -> None:
        with closing(sqlite3.connect(self.project / LOG, timeout=60)) as connection, connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute("SELECT * FROM predictions WHERE id NOT LIKE 'old-%' LIMIT 100").fetchall()
            names = ", ".join(f":{name}" for name in rows[0].keys())  # noqa: SIM118
            old = [self._make_old(dict(rows[number % len(rows)]), number) for number in range(OLD_ROWS)]
            connection.executemany(f"INSERT OR IGNORE INTO predictions VALUES ({names})", old)
            insert = "INSERT OR IGNORE INTO outcomes VALUES (:model, 'id:' || :id, :time, :prediction)"
            connection.executemany(insert, old)

    def _make_old(self, row: dict[str, Any], number: int) -> dict[str, Any]:
        times = {name: datetime.fromisoformat(row[name]) - OLD_AGE for name in ("time", "event_time")}
        return row | {"id": f"old-{number}"} | {name: f"{time:%Y-%m-%d %H:%M:%S.%f}" for name, time in times.items()}

    def command(self) -> list[str]:
        return ["log", "prune", f"--older-than={OLD_AGE.days // 2}d"]

    def _n_old(self) -> int:
        return int(query(self.project / LOG, self._count)[0][0])

    def watch(self) -> Callable[[], bool]:
        return lambda: self._n_old() < OLD_ROWS

    def check(self) -> Iterator[str]:
        return check_outcomes(self.project)

    def check_end(self, before: Registry, after: Registry) -> Iterator[str]:
        yield from super().check_end(before, after)
        yield from check_outcomes(self.project)
        if self._n_old():
            yield f"{self._n_old()} old rows are left"

    def place(self, process: Process, has_happened: bool) -> str:
        n_old = self._n_old()
        return super().place(process, has_happened) if n_old else "after the last rows are deleted"


class Serve(Kind):
    """`kedro serve` under load, from its start without a local copy."""

    name, event = "serve", "a version is being copied"

    def __init__(self, project: Path) -> None:
        super().__init__(project)
        catalog = yaml.safe_load((project / "conf/base/catalog.yml").read_text(encoding="utf-8"))
        target = yaml.safe_load((project / "conf/base/parameters.yml").read_text(encoding="utf-8"))["table"]["target"]
        table = pd.read_csv(project / catalog["table"]["filepath"]).drop(columns=target)
        self._rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records"))
        self.answers: dict[str, Answer] = {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._clients: Clients | None = None

    def prepare(self) -> None:
        shutil.rmtree(self.project / SERVED, ignore_errors=True)

    def command(self) -> list[str]:
        return ["serve", "--port", str(self._port)]

    def watch(self) -> Callable[[], bool]:
        return lambda: any(self.project.glob(f"{SERVED}/*/*/.partial-*"))

    def start(self) -> Process:
        process = super().start()
        self._clients = Clients(self._port, self._rows)
        return process

    def _stop_clients(self) -> int:
        """The number of rows that were answered."""
        answers = self._clients.stop() if self._clients else {}
        self._clients = None
        self.answers |= answers
        return len(answers)

    def finish(self, process: Process) -> int:
        assert self._clients is not None
        while process.is_running() and not self._clients.answers:
            time.sleep(0.02)
        time.sleep(LOAD_SECONDS)
        if not process.is_running():
            self._stop_clients()
            return process.wait() or 1
        code = process.signal(signal.SIGTERM)
        n_answers = self._stop_clients()
        return code if code not in (0, -signal.SIGTERM) else int(not n_answers)

    def check(self) -> Iterator[str]:
        return check_answers(self.project, self.answers)

    def restore(self) -> None:
        self.answers = {}

    def check_end(self, before: Registry, after: Registry) -> Iterator[str]:
        yield from super().check_end(before, after)
        yield from self.check()

    def place(self, process: Process, has_happened: bool) -> str:
        n_answers = self._stop_clients()
        if n_answers:
            return f"under load ({'10 rows or more' if n_answers >= 10 else 'the first rows'} answered)"
        copied = any(self.project.glob(f"{SERVED}/*/*/version.json"))
        return "after the copy, before the first answer" if copied else super().place(process, has_happened)


KINDS = {kind.name: kind for kind in (Serve, Train, Promote, Monitor, Prune)}
