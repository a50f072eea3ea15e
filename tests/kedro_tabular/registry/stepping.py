"""Processes that move aliases, and pause before each call of MLflow until they are told to go on."""

import functools
import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import mlflow
from kedro_tabular.registry import aliases, lock, promotion
from mlflow.tracking import MlflowClient

PROCESSES = multiprocessing.get_context("forkserver")
# what a process imports, so that its start takes half a second and not several
PROCESSES.set_forkserver_preload(
    [
        "alembic.command",
        "kedro_tabular.registry.promotion",
        "mlflow.store.model_registry.sqlalchemy_workspace_store",
        "mlflow.store.tracking.rest_store",
        "mlflow.store.tracking.sqlalchemy_workspace_store",
    ]
)

_READ_CLAIMS = "search_registered_models"  # once by a process that gets the lock at once


class SteppedProcess:
    """A process that runs an action, one call of MLflow at a time.

    It takes other processes for killed when their claims have not changed for `patience` seconds.
    """

    def __init__(self, uri: str, patience: float, action: str, *arguments: Any) -> None:
        self._connection, other_end = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=_run, args=(other_end, uri, patience, action, arguments))
        self._process.start()
        other_end.close()
        self.calls: list[str] = []
        self.ended, self.result = False, None
        self._receive()

    def advance(self) -> None:
        """Let it make the call that it waits for."""
        if not self.ended:
            self.calls.append(self._next_call)
            self._connection.send(None)
            self._receive()

    def finish(self) -> Any:
        """Let it run to its end. Returns its result, or the text of the error that it raised."""
        while not self.ended:
            self.advance()
        self._process.join()
        return self.result

    def run_until_it_waits(self) -> None:
        """Let it run to its end, or until it waits for the lock."""
        while not self.ended and self.calls.count(_READ_CLAIMS) < 3:
            self.advance()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()
        self._process.join()

    def _receive(self) -> None:
        self.ended, received = self._connection.recv()
        if self.ended:
            self.result = received
        else:
            self._next_call = received


def _run(connection: Connection, uri: str, patience: float, action: str, arguments: tuple[Any, ...]) -> None:
    mlflow.set_tracking_uri(uri)
    parse, lock._PAUSE = lock._Claim.parse, 0.05
    lock._Claim.parse = lambda value, since: parse(value, since)._replace(limit=patience)
    _pause_before_calls(connection)
    try:
        result = globals()[action](*arguments)
    except aliases.PromotionError as error:
        result = str(error)
    connection.send((True, result))


def _pause_before_calls(connection: Connection) -> None:
    depth = 0

    def wrap(name: str, method: Any) -> Any:
        @functools.wraps(method)
        def paused(*arguments: Any, **options: Any) -> Any:
            nonlocal depth
            if not depth:  # not within a call
                connection.send((False, name))
                connection.recv()
            depth += 1
            try:
                return method(*arguments, **options)
            finally:
                depth -= 1

        return paused

    for name, method in vars(MlflowClient).items():
        if callable(method) and not name.startswith("_"):
            setattr(MlflowClient, name, wrap(name, method))


def deploy(name: str, version: str, champion: str | None, promote: str = "auto") -> None:
    """What packaging does with a version that passed the gate against a champion."""
    promotion.deploy(name, version, {"verdict": "passed", "rules": [], "champion": champion, "promote": promote})


def promote(name: str, version: str) -> Any:
    """What `kedro promote` does."""
    return aliases.promote(name, version, "by hand")


def rollback(name: str) -> Any:
    """What `kedro rollback` does."""
    return aliases.rollback(name, "by hand")


def count(uri: str, name: str, counter: Path, times: int) -> None:
    """Add 1 to the number in a file, without any protection but the lock."""
    mlflow.set_tracking_uri(uri)
    for _ in range(times):
        with aliases.lock_aliases(name):
            number = int(counter.read_text(encoding="utf-8"))
            MlflowClient().get_registered_model(name)  # takes some time
            counter.write_text(str(number + 1), encoding="utf-8")
