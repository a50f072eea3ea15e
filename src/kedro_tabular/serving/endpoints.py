"""The endpoints of the service."""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from ..contract import Contract, is_probability, probability_column
from .batching import Batcher, Predictions
from .errors import RequestError, too_many_rows
from .log.outcomes import parse_outcome_request
from .metrics import ServiceMetrics
from .middleware import json_response
from .parsing import Rows, parse_json, rows_from_invocation, rows_from_records
from .settings import Limits

_LARGE_BODY = 65_536  # bytes; it is parsed in a thread, so that small ones don't wait for it


class Endpoints:
    """The endpoints, each a method with the name of its path. `outcomes` needs a log."""

    def __init__(self, limits: Limits, batcher: Batcher, metrics: ServiceMetrics) -> None:
        self._limits, self._batcher, self._metrics = limits, batcher, metrics
        self._deployment, self._log, self._keys = batcher.deployment, batcher.log, batcher.keys

    async def health(self) -> Response:
        """The process is alive."""
        return json_response({"status": "alive"})

    async def ready(self) -> Response:
        """A model is loaded and has predicted its input example."""
        identity = self._deployment.current.identity
        payload: dict[str, Any] = {"status": "ready", "model": identity.model, "version": identity.version}
        payload["registry"] = self._deployment.registry_error or "reachable"
        payload["refused"] = self._deployment.refused_versions
        return json_response(payload)

    async def version(self) -> Response:
        """The served version, its run, commit and data."""
        return json_response(vars(self._deployment.current.identity))

    async def metrics(self) -> Response:
        """Metrics for Prometheus."""
        content = await run_in_threadpool(self._metrics.render)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def predict(self, request: Request, explain: bool = False) -> Response:
        """Predict records, in their order."""
        records = (await _parse(parse_json, await request.body())).get("records")
        n_rows = len(records) if isinstance(records, list) else 0
        predictions = await self._predict(
            lambda contract: rows_from_records(records, "records", contract, self._keys), n_rows, explain
        )
        identity = predictions.version.identity
        payload = {"model": identity.model, "version": identity.version, "predictions": _to_payload(predictions)}
        return json_response(payload, headers=_response_headers(predictions))

    async def invocations(self, request: Request) -> Response:
        """Predict rows in MLflow's formats; the response is as MLflow's."""
        body, content_type = await request.body(), request.headers.get("content-type", "")
        contract, max_rows = self._deployment.current.contract, self._limits.rows
        rows, params = await _parse(rows_from_invocation, body, content_type, contract, self._keys, max_rows)
        predictions = await self._predict(lambda _: rows, rows.n_rows, params.get("explain") is True)
        payload = {"predictions": _to_records(predictions.columns)}
        return json_response(payload, headers=_response_headers(predictions))

    async def outcomes(self, request: Request) -> Response:
        """Store the outcomes of predictions."""
        assert self._log is not None
        parsed = await _parse(parse_json, await request.body())
        outcomes = parse_outcome_request(parsed, self._keys, self._deployment.current.contract)
        unmatched = await run_in_threadpool(self._log.add_outcomes, outcomes)
        return json_response({"stored": len(outcomes), "without_prediction": unmatched})

    async def _predict(self, make_rows: Callable[[Contract], Rows], n_rows: int, explain: bool) -> Predictions:
        max_rows = self._limits.explained_rows if explain else self._limits.rows
        if n_rows > max_rows:
            raise too_many_rows(max_rows)
        try:
            predictions = await asyncio.wait_for(self._batcher.predict(make_rows, explain), self._limits.seconds)
        except TimeoutError:
            raise RequestError(503, "timeout", "timeout of the prediction; send fewer rows in one request") from None
        self._metrics.count_predictions(predictions.columns, bool(predictions.version.classes))
        return predictions


async def _parse(parse: Callable[..., Any], body: bytes, *arguments: Any) -> Any:
    if len(body) < _LARGE_BODY:
        return parse(body, *arguments)
    return await run_in_threadpool(parse, body, *arguments)


def _response_headers(predictions: Predictions) -> dict[str, str]:
    """The id of the request, which the ids of its rows start with."""
    return {"x-request-id": predictions.ids[0].rpartition("-")[0]} if predictions.ids else {}


def _to_records(columns: dict[str, Any]) -> list[dict[str, Any]]:
    lists = [values if isinstance(values, list) else values.tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _to_payload(predictions: Predictions) -> list[dict[str, Any]]:
    """Predictions as records, with the probabilities in an object of their own."""
    columns, classes = predictions.columns, predictions.version.classes
    fields: dict[str, Any] = {"id": predictions.ids}
    fields |= {name: values for name, values in columns.items() if not is_probability(name)}
    if classes:
        fields["probability"] = _to_records({label: columns[probability_column(label)] for label in classes})
    return _to_records(fields)
