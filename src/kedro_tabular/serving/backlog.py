"""The backlog: the requests that wait for a prediction, how long that takes, and the limits on it.

A request that would wait too long is refused at once, so that those before it are still answered in time.
"""

import math
import statistics
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import RequestError, overloaded
from .settings import Limits

_MAX_BATCH_ROWS = 512  # of a batch of several requests
_BATCHES = 4  # that the longest queue is predicted in, so that small requests do not wait for one large batch


class _Pace:
    """How long recent batches took, and how many rows a batch may have so that it does not take longer than `target`.

    The size doubles with each full batch as long as that pays, and halves if a batch takes too long: this suits models
    that need time for each row as well as those that need it for each batch.
    """

    def __init__(self, target: float) -> None:
        self._target = target
        self._recent: deque[float] = deque(maxlen=9)
        self.max_rows, self.seconds = 1, 0.0  # the latter is the median, which single slow batches do not change

    def record(self, n_rows: int, seconds: float) -> None:
        self._recent.append(seconds)
        self.seconds = statistics.median(self._recent)
        if seconds > self._target:
            self.max_rows = min(self.max_rows, max(1, n_rows // 2))
        elif n_rows >= self.max_rows:
            self.max_rows = min(2 * self.max_rows, _MAX_BATCH_ROWS)


class Paces:
    """How long the batches of one model take, those with explanations by themselves."""

    def __init__(self, limits: Limits) -> None:
        self._paces = {explain: _Pace(limits.queue_seconds / _BATCHES) for explain in (False, True)}

    def expected_seconds(self, n_rows: int, explain: bool) -> float:
        """What a request of so many rows adds to the time until all are answered."""
        pace = self._paces[explain]
        return min(1.0, n_rows / pace.max_rows) * pace.seconds

    def max_rows(self, explain: bool) -> int:
        """How many rows a batch of several requests may have."""
        return self._paces[explain].max_rows

    def record(self, n_rows: int, explain: bool, seconds: float) -> None:
        """Take into account how long a batch took."""
        self._paces[explain].record(n_rows, seconds)


class HeldBytes:
    """Counts the bytes that are kept for clients: bodies until they are answered, and responses until they are taken.

    Each is limited by itself, but many at once would fill the memory. Only the event loop changes the count.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    def add(self, n_bytes: int) -> None:
        """Count bytes that are kept anyway."""
        self.bytes += n_bytes

    def remove(self, n_bytes: int) -> None:
        """Bytes that were counted are no longer kept."""
        self.bytes -= n_bytes

    def check(self, own: int) -> None:
        """Raises RequestError if there are too many bytes, unless all are the caller's `own`."""
        if own < self.bytes > self._most:
            raise overloaded(1)


class Backlog:
    """Counts the requests that are admitted and not answered yet: in a queue, in a batch, or waiting to be sent.

    Only the event loop changes the counts. `seconds` is the expected time until all are answered.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.requests, self.rows, self.seconds = 0, 0, 0.0
        self.held = HeldBytes(int(limits.held_mb * 1e6))

    def refusal(self, n_rows: int = 1) -> RequestError | None:
        """The error for a request of so many rows if it can't be admitted; None if it can.

        A request is always admitted if there is no other: estimates can be wrong, and then get better.
        """
        limits = self._limits
        is_full = self.requests >= limits.queue_requests or self.rows + n_rows > limits.queue_rows
        if self.requests == 0 or not (is_full or self.seconds >= limits.queue_seconds):
            return None
        return overloaded(max(1, math.ceil(self.seconds)))

    @contextmanager
    def admit(self, n_rows: int, seconds: float) -> Iterator[None]:
        """Count a request, which takes about so long, until the end of the block.

        Raises:
            RequestError: it can't be admitted.
        """
        error = self.refusal(n_rows)
        if error is not None:
            raise error
        self.requests, self.rows, self.seconds = self.requests + 1, self.rows + n_rows, self.seconds + seconds
        try:
            yield
        finally:
            self.requests, self.rows = self.requests - 1, self.rows - n_rows
            self.seconds = self.seconds - seconds if self.requests else 0.0  # no errors of rounding remain
