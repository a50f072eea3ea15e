"""Requests that wait for their prediction.

A request is withdrawn when it takes too long or its client is gone, until the thread that predicts claims it: after the
prediction, before it is stored. A withdrawn request is neither predicted any more nor stored; a claimed one is
answered. So the prediction log has the rows that are answered, and no others.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from ..contract import Contract, ContractError
from .callers import ANONYMOUS, Caller
from .errors import INTERNAL_ERROR, RequestError
from .loaded_version import LoadedVersion
from .parsing import Rows

logger = logging.getLogger(__name__)

_MAX_SHARED_ROWS = 64  # a request with more rows is a batch of its own


@dataclass(frozen=True)
class Predictions:
    """Predictions of the rows of one request by column, with an id for each row."""

    ids: list[str]
    columns: dict[str, np.ndarray]
    version: LoadedVersion
    record_ids: list[str | None] | None = None  # the caller's own


def new_id() -> str:
    """The id of a request, which those of its predictions start with."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"  # ids sort by time


@dataclass(frozen=True)
class PendingRequest:
    """A request for the predictions of the `n_rows` rows that `make_rows` makes for the contract of a version.

    `positions` are those of the rows in the request of the client, if other models predict the rest of it.
    """

    make_rows: Callable[[Contract], Rows]
    n_rows: int
    explain: bool
    caller: Caller = ANONYMOUS
    request_id: str = field(default_factory=new_id)
    positions: Sequence[int] | None = None
    future: Future[Predictions] = field(default_factory=Future)
    arrived: float = field(default_factory=time.perf_counter)

    def withdraw(self) -> bool:
        """Whether the request is withdrawn; not if it is claimed, then its response comes."""
        return self.future.cancel()

    def claim(self) -> bool:
        """Whether the request is claimed; not if it is withdrawn."""
        return self.future.running() or (not self.future.cancelled() and self.future.set_running_or_notify_cancel())

    def fail(self, error: BaseException) -> None:
        """Answer with an error, unless the request is withdrawn or answered."""
        if not self.future.done() and self.claim():
            self.future.set_exception(_to_request_error(error))


def _to_request_error(error: BaseException) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if isinstance(error, ContractError):
        return RequestError(422, "invalid_rows", str(error))
    logger.error("a request failed", exc_info=error)
    return INTERNAL_ERROR


class RequestQueue:
    """Requests in the order of their arrival."""

    def __init__(self, max_rows: Callable[[bool], int]) -> None:
        self._max_rows = max_rows  # of several requests in one batch, by whether they are explained
        self._waiting: dict[str, PendingRequest] = {}
        self._changed, self._is_open = threading.Condition(), True

    def put(self, request: PendingRequest) -> None:
        """Add a request."""
        with self._changed:
            self._waiting[request.request_id] = request
            self._changed.notify()

    def discard(self, request: PendingRequest) -> None:
        """Remove a request if it is still there."""
        with self._changed:
            self._waiting.pop(request.request_id, None)

    def take(self) -> list[PendingRequest]:
        """Wait for requests, and remove the first with those that can share its batch; none if the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._is_open)
            taken: list[PendingRequest] = []
            free_rows = 0
            for request in self._waiting.values():
                if not taken:
                    free_rows = self._max_rows(request.explain) if request.n_rows <= _MAX_SHARED_ROWS else 0
                elif request.explain != taken[0].explain or request.n_rows > min(free_rows, _MAX_SHARED_ROWS):
                    continue
                taken.append(request)
                free_rows -= request.n_rows
            for request in taken:
                del self._waiting[request.request_id]
            return taken

    def close(self) -> None:
        """Let `take` return the requests that wait, and then none."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
