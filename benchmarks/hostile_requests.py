"""Hostile requests to the service: what is sent, byte by byte, and how it is delivered."""

import random
from collections.abc import Iterator
from typing import NamedTuple

from hostile_bodies import Bodies, Body, Row
from hostile_heads import GARBAGE, HEADERS, LENGTHS, METHODS, OTHERS, QUERIES, SIZES

PATHS = {"/predict": 34, "/invocations": 34, "/outcomes": 12, "/health": 3, "/ready": 2, "/version": 2, "/metrics": 1}
PATHS |= {"/docs": 1, "/openapi.json": 1, "other": 5}  # the shares of the endpoints, in percent
_WITH_BODY = ("/predict", "/invocations", "/outcomes")


class Hostile(NamedTuple):
    """A request, or several on one connection."""

    kind: str  # what is hostile about it; `good` if nothing is
    path: str  # of PATHS
    data: bytes
    pieces: int = 1  # that it is sent in
    pause: float = 0  # seconds between two of them
    hangs_up: bool = False  # after the last byte, without waiting for the response
    holds: float = 0  # seconds before it hangs up, in which it does not read
    responses: int = 1  # that are expected
    is_http: bool = True  # otherwise the server may close the connection without a response
    wait: float = 90  # seconds for the response; less if the server may wait for more of the request
    method: str = "POST"


class HostileRequests:
    """Makes requests, always the same ones for a seed.

    Args:
        rows: rows that the service accepts, all with the same columns.
        seed: of the random numbers.
        large: the size of the largest bodies in bytes.
    """

    def __init__(self, rows: list[Row], seed: int = 0, large: int = 12_000_000) -> None:
        self._rng = random.Random(seed)
        self._bodies = Bodies(rows, self._rng, large)

    def make(self, n_requests: int) -> Iterator[Hostile]:
        """So many requests."""
        for number in range(n_requests):
            yield self._make(number)

    def crowd(self, n_requests: int) -> list[Hostile]:
        """Requests to be sent all at once: large bodies that arrive slowly, and clients that do not read."""
        requests = []
        for number in range(n_requests):
            path = ("/predict", "/invocations")[number % 2]
            large = Hostile("slow upload", path, _join("POST", path, [b"Host: x"], self._bodies.large(path)))
            many = Hostile("does not read", path, _join("POST", path, [b"Host: x"], self._bodies.many(path)))
            requests += [large._replace(pieces=20, pause=0.2), _hang_up(many, number, len(many.data))._replace(holds=5)]
        return requests

    def _make(self, number: int) -> Hostile:
        rng = self._rng
        path = rng.choices(list(PATHS), list(PATHS.values()))[0]
        draw = rng.random()
        if draw < 0.1:
            return self._framed(number, path)
        if draw < 0.13:
            return self._pipelined(number, path)
        kind, method, target, headers = "good", "GET", path, [b"Host: x"]
        if path == "other":
            kind, target = "path", rng.choice(OTHERS)
        body = Body(kind, "", b"")
        if path in _WITH_BODY:
            body = self._bodies.good(path) if rng.random() < 0.15 else self._bodies.hostile(path)
            kind, method = body.kind, "POST"
        if draw < 0.16:
            kind, method = "method", rng.choice(METHODS)
        if draw > 0.97:
            kind, target = "query", target + rng.choice(QUERIES)
        is_http, junk = method in METHODS[:8] and target.startswith("/"), []
        if 0.94 < draw <= 0.97:
            kind, is_http, junk = "header", False, [rng.choice(HEADERS)]
        request = Hostile(kind, path, _join(method, target, [*headers, *junk], body), is_http=is_http, method=method)
        return self._deliver(number, request)

    def _deliver(self, number: int, request: Hostile) -> Hostile:
        """Most requests are sent as a whole; some slowly, and by some clients that do not wait."""
        draw = self._rng.random()
        if draw < 0.05:
            return request._replace(pieces=self._rng.choice([2, 5, 20]), pause=0.005)
        if draw < 0.08:
            return _hang_up(request, number, len(request.data))
        if draw < 0.1:
            return _hang_up(request, number, self._rng.randrange(len(request.data)))
        if draw < 0.101:
            return _hang_up(request, number, self._rng.randrange(len(request.data)))._replace(pieces=2, pause=3)
        return request

    def _pipelined(self, number: int, path: str) -> Hostile:
        """Several requests at once on one connection."""
        n_requests = self._rng.choice([2, 3, 10, 100])
        method, body = "GET", Body("", "", b"")
        if path in _WITH_BODY:
            n_requests, method, body = min(n_requests, 10), "POST", self._bodies.good(path)
        target = "/unknown" if path == "other" else path
        data = _join(method, target, [b"Host: x"], body) * n_requests
        return Hostile("pipelined", path, data, responses=n_requests, method=method)

    def _framed(self, number: int, path: str) -> Hostile:
        """A body that is not as long as the headers say, chunks, or no HTTP at all."""
        rng, target = self._rng, "/predict" if path not in _WITH_BODY else path
        body = self._bodies.good(target)
        length = len(body.data)
        head = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: {body.content_type}\r\n".encode()
        given_up = head + b"X-Request-Id: gone-%d\r\n" % number  # the client does not wait long
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in _split(body.data, rng.choice([1, 3, 20])))
        match rng.randrange(4):
            case 0:
                data = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
                return self._deliver(number, Hostile("chunked", target, data))
            case 1:
                lies = [length + 5, max(length - 5, 0), *(text.format(length) for text in LENGTHS)]
                lie = f"Content-Length: {rng.choice(lies)}\r\n".encode() * rng.choice([1, 1, 2])
                return Hostile("content-length", target, given_up + lie + b"\r\n" + body.data, is_http=False, wait=0.5)
            case 2:
                both = rng.choice([b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: gzip\r\n"])
                data = (
                    given_up
                    + both
                    + b"Transfer-Encoding: chunked\r\n\r\n"
                    + rng.choice([b"", chunks])
                    + rng.choice(SIZES)
                )
                return Hostile("chunk sizes", target, data + rng.choice([b"", b"0\r\n\r\n"]), is_http=False, wait=0.5)
        garbage = rng.choice([*GARBAGE, rng.randbytes(200), head[: rng.randrange(len(head))]])
        return Hostile("no HTTP", "other", garbage, is_http=False, wait=0.5)


def _join(method: str, target: str, headers: list[bytes], body: Body) -> bytes:
    start = f"{method} {target} HTTP/1.1\r\n".encode()
    lines = [*headers]
    if body.content_type:
        lines.append(f"Content-Type: {body.content_type}".encode())
    if body.data or method == "POST":
        lines.append(b"Content-Length: %d" % len(body.data))
    return start + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body.data


def _hang_up(request: Hostile, number: int, n_bytes: int) -> Hostile:
    """Its client sends so many bytes. Its id says in the log that it need not have been answered."""
    start, _, rest = request.data.partition(b"\r\n")
    data = start + b"\r\nX-Request-Id: gone-%d\r\n" % number + rest
    kind = request.kind if request.kind == "does not read" else "hangs up"
    return request._replace(kind=kind, data=data[: n_bytes or len(data)], hangs_up=True, is_http=False)


def _split(data: bytes, parts: int) -> list[bytes]:
    size = max(1, -(-len(data) // parts))
    return [data[start : start + size] for start in range(0, len(data), size)]
