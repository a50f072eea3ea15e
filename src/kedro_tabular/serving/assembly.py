"""What the services of one model and of many have in common: middleware, error responses, what runs beside requests."""

import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from .authentication import ApiKeys
from .backlog import Backlog
from .connections import STATE, ConnectionState
from .deployment import Deployment
from .errors import INTERNAL_ERROR, RequestError, disconnected, validation_error
from .following import RegistryFollower
from .log.database_errors import describe
from .log.prediction_log import PredictionLog
from .log.records import utc_now
from .metrics import ServiceMetrics
from .middleware import PUBLIC_PATHS, RequestMiddleware, error_response
from .settings import ServingSettings
from .targets import Targets

logger = logging.getLogger(__name__)

Endpoint = Callable[..., Any]

_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "the body is not readable"},
    401: {"description": "the API key is missing or wrong"},
    408: {"description": "the body takes too long to arrive"},
    413: {"description": "too large, or too many rows"},
    415: {"description": "unknown content type"},
    422: {"description": "the body does not match the contract"},
    503: {"description": "too many requests, timeout, or the predictions can't be stored"},
}


@dataclass(frozen=True)
class ServiceParts:
    """What a service consists of.

    `follower` follows the registry, `loaded` are the deployments that are loaded, and `close` predicts the requests
    that wait when the service ends. What is about no model is about `default`; `models` have routes with `{name}`.
    """

    title: str
    settings: ServingSettings
    metrics: ServiceMetrics
    backlog: Backlog
    log: PredictionLog | None
    follower: RegistryFollower
    loaded: Callable[[], Collection[Deployment]]
    close: Callable[[], None]
    default: str
    models: Collection[str] = ()


def assemble(parts: ServiceParts, api_keys: ApiKeys, get: dict[str, Endpoint], post: dict[str, Endpoint]) -> FastAPI:
    """The application with these endpoints by path; requests must send an API key, if there are any."""
    app = FastAPIOffline(
        title=parts.title,
        lifespan=_make_lifespan(parts),
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for path, endpoint in get.items():
        responses: dict[int | str, dict[str, Any]] = {} if path in PUBLIC_PATHS else {401: _ERRORS[401]}
        response_class = PlainTextResponse if path == "/metrics" else JSONResponse
        app.get(path, responses=responses, response_class=response_class)(endpoint)
    for path, endpoint in post.items():
        app.post(path, responses=_ERRORS)(endpoint)

    async def on_error(request: Request, error: Exception) -> Response:
        return error_response(_to_request_error(error), parts.metrics, getattr(request.state, "model", ""))

    for kind in (RequestError, RequestValidationError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(kind, on_error)
    app.add_middleware(
        RequestMiddleware,
        metrics=parts.metrics,
        backlog=parts.backlog,
        api_keys=api_keys,
        limits=parts.settings.limits,
        targets=Targets({route.path for route in app.routes if hasattr(route, "path")}, parts.default, parts.models),
    )
    return app


def _make_lifespan(parts: ServiceParts) -> Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Any]]]:
    """What runs beside the requests: the registry is followed, and errors are counted in the log."""
    metrics, log, settings = parts.metrics, parts.log, parts.settings

    def record_deployments() -> None:
        metrics.record_deployments(parts.loaded())
        metrics.record_registry(parts.follower)

    def record_state() -> None:
        record_deployments()
        metrics.record_backlog(parts.backlog)
        if log is not None:
            try:
                with metrics.take_errors() as errors:
                    log.add_errors(errors, utc_now())
            except Exception as error:  # the counts are kept; the service goes on
                logger.error("the prediction log is not writable: %s", describe(error))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        record_deployments()
        parts.follower.start_polling(settings.refresh_seconds, after_refresh=record_state)
        yield {STATE: ConnectionState(settings.limits.client_seconds, parts.backlog.held, metrics)}
        parts.follower.close()
        await run_in_threadpool(parts.close)
        if log is not None:
            try:
                await run_in_threadpool(record_state)
            finally:
                log.close()

    return lifespan


def _to_request_error(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if isinstance(error, ClientDisconnect):  # before all of the body has arrived
        return disconnected()
    if isinstance(error, RequestValidationError):  # of the query: FastAPI does not parse the bodies
        return validation_error("invalid_query", error.errors())
    if not isinstance(error, HTTPException):
        return INTERNAL_ERROR
    codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    return RequestError(error.status_code, codes.get(error.status_code, "refused"), str(error.detail))
