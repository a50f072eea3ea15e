"""ASGI middleware around every request: duration, API key, size limit; and JSON responses.

It is plain ASGI because FastAPI's function middleware costs more than the rest of a request.
"""

import hmac
import time
from typing import Any

import orjson
from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import RequestError
from .metrics import ServiceMetrics

PUBLIC_PATHS = ("/health", "/ready")  # without an API key, for probes
_DOCS_PATHS = ("/docs", "/openapi.json", "/static-offline-docs")  # without one, too: there the key is entered


class RequestMiddleware:
    """Counts requests, those to `paths` by path, and refuses those without the API key or with too large a body."""

    def __init__(
        self, app: ASGIApp, metrics: ServiceMetrics, api_key: str | None, max_bytes: int, paths: set[str]
    ) -> None:
        self._app, self._metrics, self._max_bytes, self._paths = app, metrics, max_bytes, paths
        self._authorization = None if api_key is None else f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, received = time.perf_counter(), 500, 0
        path = scope["path"] if scope["path"] in self._paths else "other"  # clients must not create label values

        async def send_and_keep_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        async def receive_within_limit() -> Message:  # the content-length, if there is one, is not trusted
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._too_large()
            return message

        error = self._check(scope["path"], dict(scope["headers"]))
        app = self._app if error is None else error_response(error, self._metrics)
        try:
            await app(scope, receive_within_limit, send_and_keep_status)
        finally:
            self._metrics.count_request(path, status, time.perf_counter() - started)

    def _check(self, path: str, headers: dict[bytes, bytes]) -> RequestError | None:
        is_public = self._authorization is None or path in PUBLIC_PATHS or path.startswith(_DOCS_PATHS)
        if not is_public and not hmac.compare_digest(headers.get(b"authorization", b""), self._authorization or b""):
            return RequestError(401, "unauthorized", "an API key is needed", "authorization", "Bearer KEY")
        if int(headers.get(b"content-length", b"0")) > self._max_bytes:  # the HTTP parser accepts digits only
            return self._too_large()
        return None

    def _too_large(self) -> RequestError:
        return RequestError(413, "too_large", "the body is too large", "body", f"{self._max_bytes / 1e6:g} MB or less")


def error_response(error: RequestError, metrics: ServiceMetrics) -> Response:
    """Count an error and make its response."""
    metrics.count_error(error.code)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return json_response(error.to_json(), error.status, headers)


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON with the shortest text of each float that reads back bit for bit; NaN becomes null."""
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(content, status, headers, "application/json")
