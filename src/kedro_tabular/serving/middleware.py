"""ASGI middleware around every request: duration, API key, size limit; and JSON responses.

It is plain ASGI because FastAPI's function middleware costs more than the rest of a request.
"""

import asyncio
import time
from typing import Any

import orjson
from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .authentication import ApiKeys
from .backlog import Backlog, HeldBytes
from .callers import ANONYMOUS, Caller, check_request_id
from .errors import RequestError
from .metrics import ServiceMetrics
from .settings import Limits
from .targets import Targets

PUBLIC_PATHS = ("/health", "/ready")  # without an API key, for probes
_DOCS_PATHS = ("/docs", "/openapi.json", "/static-offline-docs")  # without one, too: there the key is entered
_REQUEST_ID = b"x-request-id"


class RequestMiddleware:
    """Counts requests by route, and refuses those without an API key or with too large a body.

    Requests for predictions are refused here, too, if there are too many: before they cost anything.
    The caller's X-Request-Id is in each response. The caller and the model are in the state of the request.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServiceMetrics,
        backlog: Backlog,
        api_keys: ApiKeys,
        limits: Limits,
        targets: Targets,
    ) -> None:
        self._app, self._metrics, self._targets = app, metrics, targets
        self._max_bytes, self._seconds = int(limits.body_mb * 1e6), limits.client_seconds
        self._backlog, self._api_keys = backlog, api_keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        body = _Body(receive, self._max_bytes, self._seconds, self._backlog.held)
        target = self._targets.find(scope["path"])

        async def send_and_keep_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if caller.request_id is not None:
                    others = [header for header in message["headers"] if header[0] != _REQUEST_ID]
                    message["headers"] = [*others, (_REQUEST_ID, caller.request_id.encode())]
            await send(message)

        app, caller = self._app, ANONYMOUS
        try:
            caller = self._check_caller(scope["path"], dict(scope["headers"]))
            refusal = self._backlog.refusal() if target.is_prediction else None
            if refusal is not None:
                raise refusal
        except RequestError as error:
            app = error_response(error, self._metrics, target.model)
        scope.setdefault("state", {}).update(caller=caller, model=target.model)
        try:
            await app(scope, body.receive, send_and_keep_status)
        finally:
            body.release()
            self._metrics.count_request(target.route, status, time.perf_counter() - started)

    def _check_caller(self, path: str, headers: dict[bytes, bytes]) -> Caller:
        """The caller. Raises RequestError if the request is refused."""
        if int(headers.get(b"content-length", b"0")) > self._max_bytes:  # the HTTP parser accepts digits only
            raise _too_large(self._max_bytes)
        if path in PUBLIC_PATHS or path.startswith(_DOCS_PATHS):
            return ANONYMOUS
        name = self._api_keys.find_name(headers.get(b"authorization", b""))
        if name is None and self._api_keys.required:
            raise RequestError(401, "unauthorized", "an API key is needed", "authorization", "Bearer KEY")
        if name is not None:
            self._metrics.count_key(name)
        return Caller(name, check_request_id(headers[_REQUEST_ID]) if _REQUEST_ID in headers else None)


class _Body:
    """The body of a request while it is received: neither too large, nor too slow, nor beyond what all may have."""

    def __init__(self, receive: Receive, max_bytes: int, seconds: float, held: HeldBytes) -> None:
        self._receive, self._max_bytes, self._seconds, self._held = receive, max_bytes, seconds, held
        self._deadline: float | None = None
        self._bytes, self._is_complete = 0, False

    async def receive(self) -> Message:
        """The next part. The content-length, if there is one, is not trusted."""
        if self._is_complete:
            return await self._receive()  # it waits until the client closes the connection
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise RequestError(408, "body_timeout", "the body takes too long to arrive", "body") from None
        self._is_complete = not message.get("more_body", False)
        received = len(message.get("body", b""))
        self._bytes += received
        self._held.add(received)
        if self._bytes > self._max_bytes:
            raise _too_large(self._max_bytes)
        if received:
            self._held.check(self._bytes)
        return message

    def release(self) -> None:
        """The body is no longer kept."""
        self._held.remove(self._bytes)
        self._bytes = 0


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(413, "too_large", "the body is too large", "body", f"{max_bytes / 1e6:g} MB or less")


def error_response(error: RequestError, metrics: ServiceMetrics, model: str = "") -> Response:
    """Count an error of a model, or of none, and make its response."""
    metrics.count_error(error.code, model)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return json_response(error.to_json(), error.status, headers)


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON with the shortest text of each float that reads back bit for bit; NaN becomes null."""
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(content, status, headers, "application/json")
