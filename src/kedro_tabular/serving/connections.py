"""HTTP connections with the limits that uvicorn does not have, and with its own errors as JSON."""

import asyncio
from typing import Any, NamedTuple

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .backlog import HeldBytes
from .errors import RequestError
from .metrics import ServiceMetrics

_MAX_HEAD = 65_536  # bytes of the request line and the headers; they also fit into one read of the socket
_MAX_PIPELINED = 100  # requests that a client sends before the response to the first one
STATE = "connections"  # key of the state of the application


class ConnectionState(NamedTuple):
    """What the connections of a process share."""

    seconds: float
    held: HeldBytes
    metrics: ServiceMetrics


class Connection(HttpToolsProtocol):
    """A connection. `seconds` are those that a client may take to send a request's head, and to take a response.

    The limit for the body is that of the middleware. What the client has not taken yet counts as held.
    """

    _shared: ConnectionState
    _error: RequestError | None = None  # why the parser stopped, unless it is no HTTP
    _head_bytes = _unparsed_bytes = _unsent_bytes = 0
    _head_deadline: asyncio.TimerHandle | None = None
    _response_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Expect the first request."""
        super().connection_made(transport)
        self._shared = self.app_state[STATE]
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines, and what the client did not take."""
        self._release()
        if self._head_deadline is not None:
            self._head_deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, unless a header does not end: the parser would keep all of it."""
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._unparsed_bytes > 2 * _MAX_HEAD and not self.transport.is_closing():
            self._error = _head_too_large()
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head_bytes = self._unparsed_bytes = 0
        if len(self.pipeline) >= _MAX_PIPELINED:
            self._stop(RequestError(400, "too_many_requests", "too many requests without waiting for the responses"))

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        super().on_url(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        super().on_header(name, value)
        self._count_head(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """Start the request."""
        if self._head_deadline is not None:
            self._head_deadline.cancel()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        super().on_body(body)
        self._unparsed_bytes = 0

    def on_response_complete(self) -> None:
        """Expect the next request, which may have to come after the rest of a body that nobody reads."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self._expect_head()

    def pause_writing(self) -> None:
        """Wait for the client to take the response."""
        super().pause_writing()
        self._release()
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._shared.held.add(self._unsent_bytes)
        self._response_deadline = self.loop.call_later(self._shared.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client has taken most of the response."""
        super().resume_writing()
        self._release()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or too much of it, and close the connection; earlier requests are answered first."""
        error, self._error = self._error or RequestError(400, "invalid_http", "this is not valid HTTP/1.1"), None
        cycle = self.cycle
        if cycle is not None and not (cycle.response_complete or cycle.more_body):
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self._shared.metrics.count_error(error.code)
            body = orjson.dumps(error.to_json())
            head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
            self.transport.write(STATUS_LINE[error.status] + head + body)
        self.transport.close()

    def _expect_head(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
        self._head_deadline = self.loop.call_later(self._shared.seconds, self.transport.close)

    def _count_head(self, n_bytes: int) -> None:
        self._head_bytes, self._unparsed_bytes = self._head_bytes + n_bytes, 0
        if self._head_bytes > _MAX_HEAD:
            self._stop(_head_too_large())

    def _stop(self, error: RequestError) -> None:
        """Stop the parser, which raises an error for any error of a callback."""
        self._error = error
        raise error

    def _release(self) -> None:
        self._shared.held.remove(self._unsent_bytes)
        self._unsent_bytes = 0
        if self._response_deadline is not None:
            self._response_deadline.cancel()


def _head_too_large() -> RequestError:
    return RequestError(431, "head_too_large", "the headers are too large", expected=f"{_MAX_HEAD:,} bytes or less")


def connection_options() -> dict[str, Any]:
    """The options of uvicorn for these connections.

    The event loop is asyncio's: uvloop accepts one connection in each round of the loop, so that under load new clients
    and probes wait for seconds while those that are connected are answered.
    """
    return {"http": Connection, "ws": "none", "loop": "asyncio"}
