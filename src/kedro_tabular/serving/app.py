"""The HTTP service: what each path does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from ..contract import Contract, is_probability, probability_column
from .batching import Answers, Batcher
from .deployment import Deployment
from .errors import FAILED, RequestError, from_validation, too_many_rows
from .log.outcomes import read_outcomes
from .log.prediction_log import PredictionLog
from .log.records import utc_now
from .metrics import ServiceMetrics
from .middleware import OPEN, RequestMiddleware, error_response, json_response
from .parsing import Rows, parse_json, rows_from_invocation, rows_from_records
from .schema import describe
from .settings import Serving

logger = logging.getLogger(__name__)

_LARGE = 65_536  # bytes of a body that is read aside, so that the small ones need not wait for it
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "the body can't be read"},
    401: {"description": "the API key is missing or wrong"},
    413: {"description": "too large, or too many rows"},
    415: {"description": "a content type that is not known"},
    422: {"description": "rows of another form than the contract asks for"},
    503: {"description": "not answered in time, or the answer can't be stored"},
}


def create_app(settings: Serving, deployment: Deployment, api_key: str | None) -> FastAPI:
    """The service for a deployment that has started.

    Args:
        settings: `params:serving`.
        deployment: the version that answers.
        api_key: what requests must carry; None for nothing.
    """
    log = PredictionLog(settings.log.url) if settings.log else None
    keys = settings.log.keys if settings.log else []
    measures, batcher = ServiceMetrics(), Batcher(deployment, log, keys)

    def note() -> None:
        measures.note(deployment)
        if log is not None:
            try:
                log.add_errors(measures.take_errors(), utc_now())
            except Exception:  # the counts are lost; the service goes on
                logger.exception("the prediction log can't be written")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        measures.note(deployment)
        deployment.follow(settings.refresh_seconds, after=note)
        yield
        deployment.close()
        await run_in_threadpool(batcher.close)
        if log is not None:
            await run_in_threadpool(note)
            log.close()

    name, most = deployment.current.identity.model, int(settings.limits.body_mb * 1e6)
    app = FastAPIOffline(
        title=name, lifespan=lifespan, redoc_url=None, telemetry={"tracing": False, "metrics": False, "logs": False}
    )
    doors = Endpoints(settings, deployment, batcher, measures, log, keys)
    _add_paths(app, doors, with_outcomes=log is not None)

    async def on_error(request: Request, error: Exception) -> Response:
        return error_response(_translate(error), measures)

    for kind in (RequestError, RequestValidationError, HTTPException, TimeoutError, Exception):
        app.add_exception_handler(kind, on_error)

    def openapi() -> dict[str, Any]:
        current = deployment.current
        made = get_openapi(title=name, version=f"version {current.identity.version}", routes=app.routes)
        return describe(made, current, guarded=api_key is not None)

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it
    paths = {route.path for route in app.routes if hasattr(route, "path")}
    app.add_middleware(RequestMiddleware, measures=measures, api_key=api_key, most=most, paths=paths)
    return app


def _add_paths(app: FastAPI, doors: "Endpoints", with_outcomes: bool) -> None:
    for path in ("/health", "/ready", "/version", "/metrics"):
        app.get(
            path,
            responses={} if path in OPEN else {401: _ERRORS[401]},
            response_class=PlainTextResponse if path == "/metrics" else JSONResponse,
        )(getattr(doors, path[1:]))
    app.post("/predict", responses=_ERRORS)(doors.predict)
    app.post("/invocations", responses=_ERRORS)(doors.invocations)
    if with_outcomes:
        app.post("/outcomes", responses=_ERRORS)(doors.outcomes)


def _translate(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if isinstance(error, TimeoutError):
        return RequestError(503, "timeout", "the request was not answered in time; send fewer rows at once")
    if isinstance(error, RequestValidationError):  # of the query; bodies are read by this package
        return from_validation("invalid_query", error.errors())
    if not isinstance(error, HTTPException):
        return FAILED
    codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    return RequestError(error.status_code, codes.get(error.status_code, "refused"), str(error.detail))


class Endpoints:
    """The paths, each a method."""

    def __init__(
        self,
        settings: Serving,
        deployment: Deployment,
        batcher: Batcher,
        measures: ServiceMetrics,
        log: PredictionLog | None,
        keys: list[str],
    ) -> None:
        self._limits, self._deployment, self._batcher = settings.limits, deployment, batcher
        self._measures, self._log, self._keys = measures, log, keys

    async def health(self) -> Response:
        """The process is alive."""
        return json_response({"status": "alive"})

    async def ready(self) -> Response:
        """A model is loaded and has answered its own example."""
        identity = self._deployment.current.identity
        told: dict[str, Any] = {"status": "ready", "model": identity.model, "version": identity.version}
        told["registry"] = self._deployment.registry_problem or "reachable"
        told["refused"] = self._deployment.refused
        return json_response(told)

    async def version(self) -> Response:
        """Which version answers, and what it was made from."""
        return json_response(vars(self._deployment.current.identity))

    async def metrics(self) -> Response:
        """Measures for Prometheus."""
        content = await run_in_threadpool(self._measures.render)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def predict(self, request: Request, explain: bool = False) -> Response:
        """Answer records, in their order."""
        body = await request.body()
        records = (await _aside(body, parse_json, body)).get("records")
        n_rows = len(records) if isinstance(records, list) else 0
        answered = await self._answer(
            lambda contract: rows_from_records(records, "records", contract, self._keys), n_rows, explain
        )
        identity = answered.deployed.identity
        told = {"model": identity.model, "version": identity.version, "predictions": _predictions(answered)}
        return json_response(told, headers=_named(answered))

    async def invocations(self, request: Request) -> Response:
        """Answer rows in MLflow's formats, in MLflow's form."""
        body = await request.body()
        kind, contract = request.headers.get("content-type", ""), self._deployment.current.contract
        rows, params = await _aside(body, rows_from_invocation, body, kind, contract, self._keys, self._limits.rows)
        answered = await self._answer(lambda _: rows, rows.n_rows, params.get("explain") is True)
        return json_response({"predictions": _records(answered.columns)}, headers=_named(answered))

    async def outcomes(self, request: Request) -> Response:
        """Store what came of predictions."""
        assert self._log is not None
        body = await request.body()
        parsed = await _aside(body, parse_json, body)
        found = read_outcomes(parsed, self._keys, self._deployment.current.contract)
        missing = await run_in_threadpool(self._log.add_outcomes, found)
        return json_response({"stored": len(found), "without_prediction": missing})

    async def _answer(self, rows: Callable[[Contract], Rows], n_rows: int, explain: bool) -> Answers:
        most = self._limits.explained_rows if explain else self._limits.rows
        if n_rows > most:
            raise too_many_rows(n_rows, most)
        answered = await asyncio.wait_for(self._batcher.answer(rows, explain), self._limits.seconds)
        self._measures.count_answers(answered.columns, bool(answered.deployed.classes))
        return answered


async def _aside(body: bytes, parse: Callable[..., Any], *arguments: Any) -> Any:
    if len(body) < _LARGE:
        return parse(*arguments)
    return await run_in_threadpool(parse, *arguments)


def _named(answered: Answers) -> dict[str, str]:
    """The id of the request, which those of its rows start with."""
    return {"x-request-id": answered.identifiers[0].rpartition("-")[0]} if answered.identifiers else {}


def _records(columns: dict[str, Any]) -> list[dict[str, Any]]:
    listed = [values if isinstance(values, list) else values.tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*listed, strict=True)]


def _predictions(answered: Answers) -> list[dict[str, Any]]:
    """Answers as records, the probabilities in an object of their own."""
    given, classes = answered.columns, answered.deployed.classes
    told: dict[str, Any] = {"id": answered.identifiers}
    told |= {name: values for name, values in given.items() if not is_probability(name)}
    if classes:
        told["probability"] = _records({label: given[probability_column(label)] for label in classes})
    return _records(told)
