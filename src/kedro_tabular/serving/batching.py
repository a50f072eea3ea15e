"""Predicts requests in batches: those that arrive during one batch are the next batch.

Rows are scored independently, so many requests share the cost of one prediction and of one transaction of the
prediction log. Nothing is waited for: a single request is predicted at once.
"""

import asyncio
import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..contract import Contract, ContractError
from .callers import ANONYMOUS, Caller
from .deployment import Deployment, LoadedVersion
from .errors import INTERNAL_ERROR, RequestError
from .log.database_errors import log_error
from .log.prediction_log import PredictionLog
from .log.records import LogContext, make_keys, make_log_rows
from .parsing import Rows, logged_columns

logger = logging.getLogger(__name__)

_MAX_SHARED_ROWS = 64  # a request with more rows is a batch of its own
_MAX_BATCH_ROWS = 512  # of a batch of several requests


@dataclass(frozen=True)
class Predictions:
    """Predictions of the rows of one request by column, with an id for each row."""

    ids: list[str]
    columns: dict[str, np.ndarray]
    version: LoadedVersion
    record_ids: list[str | None] | None = None  # the caller's own


@dataclass(frozen=True)
class _PendingRequest:
    make_rows: Callable[[Contract], Rows]
    explain: bool
    request_id: str
    caller: Caller
    future: Future[Predictions] = field(default_factory=Future)
    arrived: float = field(default_factory=time.perf_counter)


_Batch = list[tuple[_PendingRequest, Rows]]


class Batcher:
    """A thread that predicts with the served version, and stores predictions in the log before they are returned."""

    def __init__(self, deployment: Deployment, log: PredictionLog | None, keys: list[str]) -> None:
        self.deployment, self.log, self.keys = deployment, log, keys
        self._queue: queue.SimpleQueue[_PendingRequest | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    async def predict(
        self, make_rows: Callable[[Contract], Rows], explain: bool, caller: Caller = ANONYMOUS
    ) -> Predictions:
        """Predict the rows that `make_rows` makes for the contract of the served version.

        Raises:
            RequestError: the rows can't be predicted, or the predictions can't be stored.
        """
        request_id = f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"  # ids sort by time
        request = _PendingRequest(make_rows, explain, request_id, caller)
        self._queue.put(request)
        return await asyncio.wrap_future(request.future)

    def close(self) -> None:
        """Predict the requests in the queue, and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        pending: list[_PendingRequest] = []
        while True:
            request = self._queue.get()
            while request is not None:
                pending.append(request)
                try:
                    request = self._queue.get_nowait()
                except queue.Empty:
                    break
            version = self.deployment.current  # one version for the whole batch
            for batch in self._make_batches(pending, version.contract):
                self._process(batch, version)
            pending.clear()
            if request is None:
                return

    def _make_batches(self, pending: list[_PendingRequest], contract: Contract) -> list[_Batch]:
        shared: dict[bool, _Batch] = {True: [], False: []}  # by `explain`
        batches, shared_rows = [], 0
        for request in pending:
            if not request.future.set_running_or_notify_cancel():  # after a timeout nobody waits for it
                continue
            try:
                rows = self._select_columns(request.make_rows(contract), contract)
            except Exception as error:  # the thread must go on
                request.future.set_exception(_to_request_error(error))
                continue
            if rows.n_rows > _MAX_SHARED_ROWS or shared_rows + rows.n_rows > _MAX_BATCH_ROWS:
                batches.append([(request, rows)])
            else:
                shared[request.explain].append((request, rows))
                shared_rows += rows.n_rows
        return [*(batch for batch in shared.values() if batch), *batches]

    def _select_columns(self, rows: Rows, contract: Contract) -> Rows:
        missing = [name for name in contract.columns if name not in rows.columns]
        if missing:
            message = f"missing columns: {', '.join(missing)}"
            raise RequestError(422, "missing_columns", message, missing[0], contract.features)
        names = [name for name in logged_columns(contract, self.keys) if name in rows.columns]
        return Rows({name: rows.columns[name] for name in names}, rows.n_rows)

    def _process(self, batch: _Batch, version: LoadedVersion) -> None:
        try:
            results = _split(batch, _predict(batch, version), version)
            errors = [None] * len(batch) if self.log is None else self._store(self.log, batch, results)
        except Exception as error:  # of whatever a model or a database raises
            if len(batch) > 1 and not isinstance(error, RequestError):  # one request may have caused it
                for member in batch:
                    self._process([member], version)
                return
            for request, _ in batch:
                request.future.set_exception(_to_request_error(error))
            return
        for (request, _), result, failure in zip(batch, results, errors, strict=True):
            if failure is None:
                request.future.set_result(result)
            else:
                request.future.set_exception(failure)

    def _store(self, log: PredictionLog, batch: _Batch, results: list[Predictions]) -> list[Exception | None]:
        """Store the predictions; return for each request why they can't be stored, None if they are."""
        now = time.perf_counter()
        errors: list[Exception | None] = [None] * len(batch)
        log_rows: dict[int, list[dict[str, Any]]] = {}  # by position of the request
        for position, ((request, rows), result) in enumerate(zip(batch, results, strict=True)):
            identity, contract, caller = result.version.identity, result.version.contract, request.caller
            try:
                keys, latency = make_keys(rows, self.keys, contract), (now - request.arrived) * 1000
                context = LogContext(result.ids, keys, latency, caller.record_ids, caller.request_id, caller.api_key)
                made = make_log_rows(rows, result.columns, context, contract, identity.model, identity.version)
                log_rows[position] = made
            except ContractError as error:
                errors[position] = _to_request_error(error)
        failures = log.append_requests(list(log_rows.values()))
        responses = {failure: log_error(failure, "predictions") for failure in failures if failure is not None}
        for position, failure in zip(log_rows, failures, strict=True):
            errors[position] = None if failure is None else responses[failure]
        return errors


def _predict(batch: _Batch, version: LoadedVersion) -> dict[str, np.ndarray]:
    explain = batch[0][0].explain
    if len(batch) == 1:
        rows = batch[0][1]
        return version.model.predict_columns(rows.columns, rows.n_rows, explain)
    columns = {
        name: np.concatenate([np.asarray(rows.columns[name], dtype=object) for _, rows in batch])
        for name in version.contract.columns
    }
    return version.model.predict_columns(columns, sum(rows.n_rows for _, rows in batch), explain)


def _split(batch: _Batch, columns: dict[str, np.ndarray], version: LoadedVersion) -> list[Predictions]:
    """The predictions of each request of a batch."""
    results, start = [], 0
    for request, rows in batch:
        end = start + rows.n_rows
        ids = [f"{request.request_id}-{position}" for position in range(rows.n_rows)]
        part = {name: values[start:end] for name, values in columns.items()}
        results.append(Predictions(ids, part, version, request.caller.record_ids))
        start = end
    return results


def _to_request_error(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if isinstance(error, ContractError):
        return RequestError(422, "invalid_rows", str(error))
    logger.exception("a request failed", exc_info=error)
    return INTERNAL_ERROR
