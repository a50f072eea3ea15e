"""The FastAPI application: endpoints, middleware, error responses, and what runs beside the requests."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from .authentication import ApiKeys
from .batching import Batcher
from .connections import STATE, ConnectionState
from .deployment import Deployment
from .endpoints import Endpoints
from .errors import INTERNAL_ERROR, RequestError, disconnected, validation_error
from .log.database_errors import describe
from .log.prediction_log import PredictionLog
from .log.records import utc_now
from .metrics import ServiceMetrics
from .middleware import PUBLIC_PATHS, RequestMiddleware, error_response
from .openapi import complete_openapi
from .settings import ServingSettings

logger = logging.getLogger(__name__)

_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "the body is not readable"},
    401: {"description": "the API key is missing or wrong"},
    408: {"description": "the body takes too long to arrive"},
    413: {"description": "too large, or too many rows"},
    415: {"description": "unknown content type"},
    422: {"description": "the body does not match the contract"},
    503: {"description": "too many requests, timeout, or the predictions can't be stored"},
}


def create_app(settings: ServingSettings, deployment: Deployment, api_keys: ApiKeys) -> FastAPI:
    """The service of a deployment that has started; requests must send an API key, if there are any."""
    log = PredictionLog(settings.log.url) if settings.log else None
    name = deployment.current.identity.model
    metrics, batcher = ServiceMetrics(), Batcher(deployment, log, settings.key_columns, settings.limits)

    app = FastAPIOffline(
        title=name,
        lifespan=_make_lifespan(settings, batcher, metrics),
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    _add_routes(app, Endpoints(settings, batcher, metrics), with_outcomes=log is not None)

    async def on_error(request: Request, error: Exception) -> Response:
        return error_response(_to_request_error(error), metrics)

    for kind in (RequestError, RequestValidationError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(kind, on_error)

    def openapi() -> dict[str, Any]:
        version = deployment.current
        schema = get_openapi(title=name, version=f"version {version.identity.version}", routes=app.routes)
        return complete_openapi(schema, version, with_api_key=api_keys.required)

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
    paths = {route.path for route in app.routes if hasattr(route, "path")}
    app.add_middleware(
        RequestMiddleware,
        metrics=metrics,
        backlog=batcher.backlog,
        api_keys=api_keys,
        limits=settings.limits,
        paths=paths,
    )
    return app


def _make_lifespan(
    settings: ServingSettings, batcher: Batcher, metrics: ServiceMetrics
) -> Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Any]]]:
    """What runs beside the requests: the deployment follows its alias, and errors are counted in the log."""
    deployment, log = batcher.deployment, batcher.log

    def record_state() -> None:
        metrics.record_deployment(deployment)
        metrics.record_backlog(batcher.backlog)
        if log is not None:
            try:
                with metrics.take_errors() as errors:
                    log.add_errors(deployment.current.identity.model, errors, utc_now())
            except Exception as error:  # the counts are kept; the service goes on
                logger.error("the prediction log is not writable: %s", describe(error))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        metrics.record_deployment(deployment)
        deployment.start_polling(settings.refresh_seconds, after_refresh=record_state)
        yield {STATE: ConnectionState(settings.limits.client_seconds, batcher.backlog.held, metrics)}
        deployment.close()
        await run_in_threadpool(batcher.close)
        if log is not None:
            try:
                await run_in_threadpool(record_state)
            finally:
                log.close()

    return lifespan


def _add_routes(app: FastAPI, endpoints: Endpoints, with_outcomes: bool) -> None:
    for path in ("/health", "/ready", "/version", "/metrics"):
        responses: dict[int | str, dict[str, Any]] = {} if path in PUBLIC_PATHS else {401: _ERRORS[401]}
        response_class = PlainTextResponse if path == "/metrics" else JSONResponse
        app.get(path, responses=responses, response_class=response_class)(getattr(endpoints, path[1:]))
    for path in ("/predict", "/invocations", *(["/outcomes"] if with_outcomes else [])):
        app.post(path, responses=_ERRORS)(getattr(endpoints, path[1:]))


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
