"""Clients that send hostile requests to the service, and check what comes back."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from hostile_requests import Hostile

_LEAKS = re.compile(rb'Traceback|File "|site-packages|/src/|kedro_tabular|sqlalchemy|pyarrow', re.IGNORECASE)


class Response(NamedTuple):
    """A response."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


@dataclass
class Results:
    """What has come back."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)  # by path and status; 0: none
    kinds: Counter[tuple[str, int]] = field(default_factory=Counter)
    answered: dict[str, int] = field(default_factory=dict)  # rows by what their ids start with
    breaches: list[str] = field(default_factory=list)
    slowest: float = 0  # response, in seconds

    def add(self, request: Hostile, response: Response | None, seconds: float) -> None:
        """Count a response, and check it."""
        status = 0 if response is None else response.status
        self.statuses[request.path, status] += 1
        self.kinds[request.kind, status] += 1
        if response is None:
            if request.is_http and not request.hangs_up:
                self._report(request, "no response")
            return
        self.slowest = max(self.slowest, seconds)
        if status >= 500 and status != 503:
            self._report(request, f"status {status}: {response.body[:300]!r}")
        if status >= 400 and request.method != "HEAD":
            self._check_error(request, response)
        if status == 200 and request.path in ("/predict", "/invocations") and request.method == "POST":
            self._count_rows(request, response)
        if request.kind in ("good", "chunked", "pipelined") and status not in (
            200,
            503,
            404 if request.path == "other" else 200,
        ):
            self._report(request, f"status {status} of a good request: {response.body[:300]!r}")

    def _check_error(self, request: Hostile, response: Response) -> None:
        try:
            error = json.loads(response.body)["error"]
            is_form = isinstance(error["code"], str) and isinstance(error["message"], str)
        except (ValueError, KeyError, TypeError):
            is_form = False
        if not is_form or response.headers.get(b"content-type") != b"application/json":
            self._report(request, f"status {response.status}, no documented error: {response.body[:300]!r}")
        if found := _LEAKS.search(response.body):
            self._report(request, f"an error with {found[0]!r}: {response.body[:300]!r}")
        if response.status == 503 and b"overloaded" in response.body and b"retry-after" not in response.headers:
            self._report(request, "503 without Retry-After")

    def _count_rows(self, request: Hostile, response: Response) -> None:
        try:
            n_rows = len(json.loads(response.body)["predictions"])
        except (ValueError, KeyError):
            self._report(request, f"predictions that are not JSON: {response.body[:300]!r}")
            return
        if n_rows:
            self.answered[response.headers[b"x-prediction-id"].decode()] = n_rows

    def _report(self, request: Hostile, what: str) -> None:
        self.breaches.append(f"{request.kind}, {request.path}: {what}; sent {request.data[:600]!r}")

    def merge(self, other: "Results") -> None:
        """Add other results."""
        self.statuses += other.statuses
        self.kinds += other.kinds
        self.answered |= other.answered
        self.breaches += other.breaches
        self.slowest = max(self.slowest, other.slowest)

    def compare(self, logged: Iterable[tuple[str, Any]]) -> dict[str, int]:
        """Compare the rows that were answered with those of the log, given by id and request id."""
        found: Counter[str] = Counter()
        abandoned = set()
        for row_id, request_id in logged:
            start = row_id.rpartition("-")[0]
            found[start] += 1
            if isinstance(request_id, str) and request_id.startswith("gone-"):
                abandoned.add(start)
        lost = sum(max(n_rows - found[start], 0) for start, n_rows in self.answered.items())
        unanswered = sum(
            n_rows for start, n_rows in found.items() if start not in self.answered and start not in abandoned
        )
        surplus = sum(max(found[start] - n_rows, 0) for start, n_rows in self.answered.items())
        for number, what in ((lost, "answered and not logged"), (unanswered + surplus, "logged and not answered")):
            if number:
                self.breaches.append(f"{number} rows were {what}")
        without_client = sum(found[start] for start in abandoned - self.answered.keys())
        return {
            "answered": sum(self.answered.values()),
            "logged": found.total(),
            "of them to clients that hung up": without_client,
        }


class _Client:
    """One client, which keeps its connection as long as the server does."""

    def __init__(self, url: str, results: Results) -> None:
        address = urlsplit(url)
        self._address, self._results = (str(address.hostname), int(address.port or 80)), results
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def work(self, requests: Iterator[Hostile]) -> None:
        for request in requests:
            if self._streams is None:
                self._streams = await asyncio.open_connection(*self._address)
            keep = False
            try:
                keep = await self._ask(request)
            except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                self._results.add(request, None, 0)
            if not keep:
                self._close()
        self._close()

    def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _ask(self, request: Hostile) -> bool:
        """Send a request and read its responses; whether the connection can be used again."""
        assert self._streams is not None
        reader, writer = self._streams
        started = time.perf_counter()
        sending = asyncio.ensure_future(_send(writer, request))
        try:
            if request.hangs_up:
                await sending
                await asyncio.sleep(request.holds)
                self._results.add(request, None, 0)
                return False
            async with asyncio.timeout(request.wait):
                for position in range(request.responses):
                    response = await _read(reader, request.method)
                    self._results.add(request, response, time.perf_counter() - started)
                    if response.headers.get(b"connection") == b"close":
                        return position + 1 < request.responses
            return request.is_http and sending.done() and sending.exception() is None
        finally:
            sending.cancel()


async def _send(writer: asyncio.StreamWriter, request: Hostile) -> None:
    size = max(1, -(-len(request.data) // request.pieces))
    for start in range(0, len(request.data), size):
        if start:
            await asyncio.sleep(request.pause)
        writer.write(request.data[start : start + size])
        await writer.drain()


async def _read(reader: asyncio.StreamReader, method: str) -> Response:
    start, *lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    pairs = (line.partition(b":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    status = int(start.split()[1])
    if status == 100:
        return await _read(reader, method)
    n_bytes = 0 if method == "HEAD" or status in (204, 304) else int(headers[b"content-length"])
    return Response(status, headers, await reader.readexactly(n_bytes))


async def attack(url: str, requests: Iterable[Hostile], clients: int = 32) -> Results:
    """Send the requests to the service with so many clients at once."""
    results, shared = Results(), iter(requests)
    await asyncio.gather(*(_Client(url, results).work(shared) for _ in range(clients)))
    return results
