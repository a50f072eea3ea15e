"""Around every request: its time, its key, and JSON for what goes wrong.

Plain ASGI, since FastAPI's middleware of functions costs more than the rest of a request.
"""

import hmac
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from fastapi import Response

from .errors import RequestError
from .measures import Measures

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

OPEN = ("/health", "/ready")  # paths that need no key: those that probes ask


class Around:
    """Counts requests, and lets only those pass that carry the key.

    Args:
        app: what answers.
        measures: what counts.
        api_key: the key; None lets all pass.
        paths: those that are counted by name.
    """

    def __init__(self, app: App, measures: Measures, api_key: str | None, paths: set[str]) -> None:
        self._app, self._measures = app, measures
        self._key, self._paths = api_key, paths

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

        try:
            if not self._may_pass(scope):
                refused = RequestError(
                    401, "unauthorized", "an API key is needed", "authorization", "Bearer KEY"
                )
                await error_response(refused, self._measures)(scope, receive, noting)
            else:
                await self._app(scope, receive, noting)
        finally:
            self._measures.count_request(path, status, time.perf_counter() - started)

    def _may_pass(self, scope: Message) -> bool:
        if self._key is None or scope["path"] in OPEN:
            return True
        given = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        return hmac.compare_digest(given.encode(), f"Bearer {self._key}".encode())


def error_response(error: RequestError, measures: Measures) -> Response:
    """An error as JSON, counted."""
    measures.count_error(error.code)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return json_response(error.body(), error.status, headers)


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON with the shortest text that gives each float back bit for bit; not a number becomes null."""
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(content, status, headers, "application/json")
