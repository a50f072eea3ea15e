"""Around every request: its time, its key, its size, and JSON for what goes wrong.

Plain ASGI, since FastAPI's middleware of functions costs more than the rest of a request.
"""

import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from fastapi import Response

from .errors import RequestError
from .metrics import ServiceMetrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

OPEN = ("/health", "/ready")  # paths that need no key: those that probes ask,
_PAGES = ("/docs", "/openapi.json", "/static-offline-docs")  # and the page where the key can be entered


class RequestMiddleware:
    """Counts requests, and lets only those pass that carry the key and are not too large.

    Args:
        app: what answers.
        measures: what counts.
        api_key: the key; None lets all pass.
        most: bytes that a body may have.
        paths: those that are counted by name.
    """

    def __init__(self, app: App, measures: ServiceMetrics, api_key: str | None, most: int, paths: set[str]) -> None:
        self._app, self._measures, self._most = app, measures, most
        self._key = None if api_key is None else f"Bearer {api_key}".encode()
        self._paths = paths

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        path = scope["path"] if scope["path"] in self._paths else "other"  # or clients could make millions

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        read = 0

        async def counting() -> Message:  # the length that a request tells, if any, is not to be trusted
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise self._too_large()
            return message

        refused = self._refuse(scope["path"], dict(scope["headers"]))
        app = self._app if refused is None else error_response(refused, self._measures)
        try:
            await app(scope, counting, noting)
        finally:
            self._measures.count_request(path, status, time.perf_counter() - started)

    def _refuse(self, path: str, headers: dict[bytes, bytes]) -> RequestError | None:
        given = headers.get(b"authorization", b"")
        needed = self._key is not None and path not in OPEN and not path.startswith(_PAGES)
        if needed and not hmac.compare_digest(given, self._key or b""):
            return RequestError(401, "unauthorized", "an API key is needed", "authorization", "Bearer KEY")
        if int(headers.get(b"content-length", b"0")) > self._most:  # the HTTP parser lets only digits pass
            return self._too_large()
        return None

    def _too_large(self) -> RequestError:
        expected = f"{self._most / 1e6:g} MB or less"
        return RequestError(413, "too_large", "the body is too large", "body", expected)


def error_response(error: RequestError, measures: ServiceMetrics) -> Response:
    """An error as JSON, counted."""
    measures.count_error(error.code)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return json_response(error.body(), error.status, headers)


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON with the shortest text that gives each float back bit for bit; not a number becomes null."""
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(content, status, headers, "application/json")
