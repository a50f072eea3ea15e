"""The endpoints of the service."""

from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from ..contract import Contract, is_probability, probability_column
from .batching import Batcher
from .callers import RECORD_ID, read_record_ids
from .deployment import format_time
from .errors import too_many_rows
from .log.database_errors import log_error
from .log.outcomes import parse_outcome_request
from .metrics import ServiceMetrics
from .middleware import json_response
from .parsing import Rows, logged_columns, parse_json, rows_from_invocation, rows_from_records
from .pending import PendingRequest, Predictions
from .settings import Limits
from .value_lengths import check_lengths

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
        payload["refreshed"] = format_time(self._deployment.refreshed)
        payload["refresh"] = self._deployment.refresh_error or "working"
        payload["refused"] = self._deployment.refused_versions
        return json_response(payload)

    async def version(self) -> Response:
        """The served version, its run, commit and data."""
        return json_response(vars(self._deployment.current.identity))

    async def metrics(self) -> Response:
        """Metrics for Prometheus."""
        self._metrics.record_backlog(self._batcher.backlog)
        content = await run_in_threadpool(self._metrics.render)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def predict(self, request: Request, explain: bool = False) -> Response:
        """Predict records, in their order."""
        records = (await _parse(parse_json, await request.body())).get("records")
        n_rows = len(records) if isinstance(records, list) else 0
        ids = [record.get(RECORD_ID) if isinstance(record, dict) else None for record in records] if n_rows else None
        predictions = await self._predict(
            request, lambda contract: rows_from_records(records, "records", contract, self._keys), n_rows, explain, ids
        )
        identity = predictions.version.identity
        payload = {"model": identity.model, "version": identity.version, "predictions": _to_payload(predictions)}
        return json_response(payload, headers=_response_headers(predictions))

    async def invocations(self, request: Request) -> Response:
        """Predict rows in MLflow's formats; the response is as MLflow's."""
        body, content_type = await request.body(), request.headers.get("content-type", "")
        contract, max_rows = self._deployment.current.contract, self._limits.rows
        rows, params = await _parse(rows_from_invocation, body, content_type, contract, self._keys, max_rows)
        explain, ids = params.get("explain") is True, rows.columns.get(RECORD_ID)
        predictions = await self._predict(request, lambda _: rows, rows.n_rows, explain, ids)
        payload = {"predictions": _to_records(predictions.columns)}
        return json_response(payload, headers=_response_headers(predictions))

    async def outcomes(self, request: Request) -> Response:
        """Store the outcomes of predictions."""
        assert self._log is not None
        parsed, version = await _parse(parse_json, await request.body()), self._deployment.current
        outcomes = parse_outcome_request(parsed, self._keys, version.contract)
        try:
            unmatched = await run_in_threadpool(self._log.add_outcomes, version.identity.model, outcomes)
        except Exception as error:  # of whatever a database raises
            raise log_error(error, "outcomes") from error
        return json_response({"stored": len(outcomes), "without_prediction": unmatched})

    async def _predict(
        self, request: Request, make_rows: Callable[[Contract], Rows], n_rows: int, explain: bool, ids: Any
    ) -> Predictions:
        max_rows = self._limits.explained_rows if explain else self._limits.rows
        if n_rows > max_rows:
            raise too_many_rows(max_rows)
        record_ids = read_record_ids(ids, self._deployment.current.contract, self._keys)
        caller = request.state.caller._replace(record_ids=record_ids)

        def make_checked_rows(contract: Contract) -> Rows:
            columns = logged_columns(contract, self._keys)
            return check_lengths(make_rows(contract), columns, self._limits.characters)

        pending = PendingRequest(make_checked_rows, n_rows, explain, caller)
        predictions = await self._batcher.predict(pending, _disconnect(request))
        self._metrics.count_predictions(predictions.columns, bool(predictions.version.classes))
        return predictions


async def _disconnect(request: Request) -> None:
    """Return when the client has closed the connection of a request whose body is read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _parse(parse: Callable[..., Any], body: bytes, *arguments: Any) -> Any:
    if len(body) < _LARGE_BODY:
        return parse(body, *arguments)
    return await run_in_threadpool(parse, body, *arguments)


def _response_headers(predictions: Predictions) -> dict[str, str]:
    """What the ids of the rows start with, which is also the id of a request to which its caller has given none."""
    start = predictions.ids[0].rpartition("-")[0] if predictions.ids else ""
    return {"x-prediction-id": start, "x-request-id": start} if start else {}


def _to_records(columns: dict[str, Any]) -> list[dict[str, Any]]:
    lists = [values if isinstance(values, list) else values.tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _to_payload(predictions: Predictions) -> list[dict[str, Any]]:
    """Predictions as records, with the probabilities in an object of their own."""
    columns, classes = predictions.columns, predictions.version.classes
    fields: dict[str, Any] = {"id": predictions.ids}
    fields |= {name: values for name, values in columns.items() if not is_probability(name)}
    if predictions.record_ids is not None and any(predictions.record_ids):
        fields["record_id"] = predictions.record_ids
    if classes:
        fields["probability"] = _to_records({label: columns[probability_column(label)] for label in classes})
    return _to_records(fields)
