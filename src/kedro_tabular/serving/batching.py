"""Answers requests in batches: what has come while the last batch was answered is the next one.

A row's answer does not depend on the rows beside it, so many requests share the cost of one prediction and of
one transaction of the prediction log. There is nothing to wait for: a single request is answered at once.
"""

import asyncio
import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..contract import Contract, ContractError
from .deployment import Deployed, Deployment
from .errors import FAILED, RequestError
from .log.prediction_log import PredictionLog
from .log.records import LogContext, make_keys, make_log_rows
from .parsing import Rows

logger = logging.getLogger(__name__)

_MERGED = 64  # a request of more rows is a batch of its own
_MOST = 512  # rows of a batch of several requests


@dataclass(frozen=True)
class Answers:
    """Answers to the rows of one request by column, with an id for each row."""

    identifiers: list[str]
    columns: dict[str, np.ndarray]
    deployed: Deployed


@dataclass(frozen=True)
class _PendingRequest:
    rows: Callable[[Contract], Rows]
    explain: bool
    future: asyncio.Future[Answers]
    loop: asyncio.AbstractEventLoop
    identifier: str
    arrived: float = field(default_factory=time.perf_counter)

    def settle(self, answers: Answers | None, error: Exception | None = None) -> None:
        """Hand the answers, or what went wrong, to whoever waits for it."""

        def tell() -> None:
            if self.future.done():  # nobody waits any more
                return
            if error is not None:
                self.future.set_exception(error)
            else:
                assert answers is not None
                self.future.set_result(answers)

        self.loop.call_soon_threadsafe(tell)


_Batch = list[tuple[_PendingRequest, Rows]]


class Batcher:
    """A thread that answers.

    Args:
        deployment: the version that answers.
        log: where each answer is stored before it is given; None for nowhere.
        keys: columns that tell cases apart, for the log.
    """

    def __init__(self, deployment: Deployment, log: PredictionLog | None, keys: list[str]) -> None:
        self._deployment, self._log, self._keys = deployment, log, keys
        self._questions: queue.SimpleQueue[_PendingRequest | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    async def answer(self, rows: Callable[[Contract], Rows], explain: bool) -> Answers:
        """Answer rows.

        Args:
            rows: makes the rows from the contract of the version that answers.
            explain: whether to explain the answers.

        Raises:
            RequestError: the rows can't be answered, or the answers not be stored.
        """
        loop = asyncio.get_running_loop()
        identifier = f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"  # in the order of time
        question = _PendingRequest(rows, explain, loop.create_future(), loop, identifier)
        self._questions.put(question)
        return await question.future

    def close(self) -> None:
        """Answer what was asked before, and end."""
        self._questions.put(None)
        self._thread.join()

    def _run(self) -> None:
        waiting: list[_PendingRequest] = []
        while True:
            question = self._questions.get()
            while question is not None:
                waiting.append(question)
                try:
                    question = self._questions.get_nowait()
                except queue.Empty:
                    break
            deployed = self._deployment.current  # one version for the batch, also if another comes
            for batch in self._batches(waiting, deployed):
                self._answer(batch, deployed)
            waiting.clear()
            if question is None:
                return

    def _batches(self, questions: list[_PendingRequest], deployed: Deployed) -> list[_Batch]:
        """Questions that are answered together, each with its rows."""
        small: dict[bool, _Batch] = {True: [], False: []}
        batches, merged = [], 0
        for question in questions:
            try:
                rows = self._wanted(question.rows(deployed.contract), deployed.contract)
            except Exception as error:  # whatever it is, the thread has to go on
                question.settle(None, _as_request_error(error))
                continue
            if rows.n_rows > _MERGED or merged + rows.n_rows > _MOST:
                batches.append([(question, rows)])
            else:
                small[question.explain].append((question, rows))
                merged += rows.n_rows
        return [*(batch for batch in small.values() if batch), *batches]

    def _wanted(self, rows: Rows, contract: Contract) -> Rows:
        """The columns of the contract, and those of the keys that are there; no others are kept."""
        absent = [name for name in contract.columns if name not in rows.columns]
        if absent:
            message = f"missing columns: {', '.join(absent)}"
            raise RequestError(422, "missing_columns", message, absent[0], contract.features)
        wanted = dict.fromkeys([*contract.columns, *self._keys])
        return Rows({name: rows.columns[name] for name in wanted if name in rows.columns}, rows.n_rows)

    def _answer(self, batch: _Batch, deployed: Deployed) -> None:
        try:
            answers = self._predict(batch, deployed)
            settled = self._enter(batch, answers, deployed)
        except Exception as error:  # of whatever a model or a database raises
            if len(batch) > 1 and not isinstance(error, RequestError):  # it may be the fault of one of them
                for one in batch:
                    self._answer([one], deployed)
                return
            for question, _ in batch:
                question.settle(None, _as_request_error(error))
            return
        for question, answered in settled:
            question.settle(answered)

    def _predict(self, batch: _Batch, deployed: Deployed) -> dict[str, np.ndarray]:
        explain = batch[0][0].explain
        if len(batch) == 1:
            rows = batch[0][1]
            return deployed.model.answer(rows.columns, rows.n_rows, explain)
        together = {
            name: np.concatenate([np.asarray(rows.columns[name], dtype=object) for _, rows in batch])
            for name in deployed.contract.columns
        }
        return deployed.model.answer(together, sum(rows.n_rows for _, rows in batch), explain)

    def _enter(
        self, batch: _Batch, together: dict[str, np.ndarray], deployed: Deployed
    ) -> list[tuple[_PendingRequest, Answers]]:
        """Part the answers among the questions, and store them all at once."""
        settled: list[tuple[_PendingRequest, Answers]] = []
        entries: list[dict[str, Any]] = []
        first, now = 0, time.perf_counter()
        for question, rows in batch:
            last = first + rows.n_rows
            answers = {name: values[first:last] for name, values in together.items()}
            identifiers = [f"{question.identifier}-{position}" for position in range(rows.n_rows)]
            settled.append((question, Answers(identifiers, answers, deployed)))
            first = last
            if self._log is not None:
                keys = make_keys(rows, self._keys, deployed.contract)
                entered = LogContext(identifiers, keys, (now - question.arrived) * 1000)
                identity = deployed.identity
                entries += make_log_rows(rows, answers, entered, deployed.contract, identity.model, identity.version)
        if self._log is not None and entries:
            try:
                self._log.append(entries)
            except Exception as error:
                logger.exception("the prediction log can't be written")
                message = "the answer can't be stored, so it is not given; try again later"
                raise RequestError(503, "log_unavailable", message) from error
        return settled


def _as_request_error(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if isinstance(error, ContractError):
        return RequestError(422, "invalid_rows", str(error))
    logger.exception("a request can't be answered", exc_info=error)
    return FAILED
