"""Predicts requests in batches: those that arrive during one batch are the next batch.

Rows are scored independently, so many requests share the cost of one prediction and of one transaction of the
prediction log. Nothing is waited for: a single request is predicted at once.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine
from typing import Any

import numpy as np

from ..contract import Contract, ContractError, Values
from .backlog import Backlog, Paces
from .deployment import Deployment
from .errors import RequestError, disconnected, timeout
from .loaded_version import LoadedVersion
from .log.database_errors import log_error
from .log.prediction_log import PredictionLog
from .log.records import LogContext, make_keys, make_log_rows
from .parsing import Rows, logged_columns
from .pending import PendingRequest, Predictions, RequestQueue
from .settings import Limits

logger = logging.getLogger(__name__)

_Batch = list[tuple[PendingRequest, Rows]]


class Batcher:
    """A thread that predicts with the served version, and stores predictions in the log before they are returned.

    Several models share one backlog.
    """

    def __init__(
        self,
        deployment: Deployment,
        log: PredictionLog | None,
        keys: list[str],
        limits: Limits,
        backlog: Backlog | None = None,
    ) -> None:
        self.deployment, self.log, self.keys = deployment, log, keys
        self.backlog, self.paces, self._seconds = backlog or Backlog(limits), Paces(limits), limits.seconds
        self._queue = RequestQueue(self.paces.max_rows)
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    async def predict(self, request: PendingRequest, disconnect: Coroutine[Any, Any, None]) -> Predictions:
        """Predict the rows of a request. `disconnect` returns when the client closes its connection.

        Raises:
            RequestError: the rows can't be predicted, or not now, or not in time; or the predictions can't be stored.
        """
        disconnection = asyncio.ensure_future(disconnect)
        try:
            with self.backlog.admit(request.n_rows, self.paces.expected_seconds(request.n_rows, request.explain)):
                return await self.predict_admitted(request, disconnection)
        finally:
            disconnection.cancel()

    async def predict_admitted(self, request: PendingRequest, disconnection: asyncio.Future[None]) -> Predictions:
        """Predict the rows of a request that the backlog counts already; otherwise as `predict`."""
        self._queue.put(request)
        response = asyncio.wrap_future(request.future)
        try:
            await asyncio.wait((response, disconnection), timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            if not response.done() and request.withdraw():
                raise disconnected() if disconnection.done() else timeout()
            return await response
        finally:
            if request.withdraw():
                self._queue.discard(request)

    def close(self) -> None:
        """Predict the requests in the queue, and end the thread."""
        self._queue.close()
        self._thread.join()

    def _run(self) -> None:
        while requests := self._queue.take():
            started = time.perf_counter()
            try:
                version = self.deployment.current  # one version for the whole batch
                self._process(self._make_batch(requests, version.contract), version)
            except BaseException as error:  # of any type: the thread must go on
                for request in requests:
                    request.fail(error)
            n_rows, seconds = sum(request.n_rows for request in requests), time.perf_counter() - started
            self.paces.record(n_rows, requests[0].explain, seconds)

    def _make_batch(self, requests: list[PendingRequest], contract: Contract) -> _Batch:
        batch: _Batch = []
        for request in requests:
            try:
                batch.append((request, self._select_columns(request.make_rows(contract), contract)))
            except Exception as error:  # of this request alone
                request.fail(error)
        return batch

    def _select_columns(self, rows: Rows, contract: Contract) -> Rows:
        missing = [name for name in contract.columns if name not in rows.columns]
        if missing:
            message = f"missing columns: {', '.join(missing)}"
            raise RequestError(422, "missing_columns", message, missing[0], contract.features)
        names = [name for name in logged_columns(contract, self.keys) if name in rows.columns]
        return Rows({name: rows.columns[name] for name in names}, rows.n_rows)

    def _process(self, batch: _Batch, version: LoadedVersion) -> None:
        if not batch:
            return
        try:
            n_rows, explain = sum(rows.n_rows for _, rows in batch), batch[0][0].explain
            columns = version.model.predict_columns(_join(batch, version.contract), n_rows, explain)
            results = _split(batch, columns, version)
            claimed = [(member, result) for member, result in zip(batch, results, strict=True) if member[0].claim()]
            batch, results = [member for member, _ in claimed], [result for _, result in claimed]
            errors = [None] * len(batch) if self.log is None else self._store(self.log, batch, results)
        except Exception as error:  # of whatever a model or a database raises
            if len(batch) > 1 and not isinstance(error, RequestError):  # one request may have caused it
                for member in batch:
                    self._process([member], version)
                return
            for request, _ in batch:
                request.fail(error)
            return
        for (request, _), result, failure in zip(batch, results, errors, strict=True):
            if failure is None:
                request.future.set_result(result)
            else:
                request.fail(failure)

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
                errors[position] = error
        failures = log.append_requests(list(log_rows.values()))
        responses = {failure: log_error(failure, "predictions") for failure in failures if failure is not None}
        for position, failure in zip(log_rows, failures, strict=True):
            errors[position] = None if failure is None else responses[failure]
        return errors


def _join(batch: _Batch, contract: Contract) -> dict[str, Values]:
    """The columns of all requests of a batch."""
    if len(batch) == 1:
        return batch[0][1].columns
    return {
        name: np.concatenate([np.asarray(rows.columns[name], dtype=object) for _, rows in batch])
        for name in contract.columns
    }


def _split(batch: _Batch, columns: dict[str, np.ndarray], version: LoadedVersion) -> list[Predictions]:
    """The predictions of each request of a batch."""
    results, start = [], 0
    for request, rows in batch:
        end = start + rows.n_rows
        positions = range(rows.n_rows) if request.positions is None else request.positions
        ids = [f"{request.request_id}-{position}" for position in positions]
        part = {name: values[start:end] for name, values in columns.items()}
        results.append(Predictions(ids, part, version, request.caller.record_ids))
        start = end
    return results
