"""The endpoints of the service."""

from collections.abc import Callable
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from ..contract import Contract, is_probability, probability_column
from .batching import Batcher
from .callers import read_record_ids
from .deployment import format_time
from .errors import too_many
from .invocations import BODY_FIELDS, PARAMS, parse_invocation
from .log.database_errors import log_error
from .log.outcomes import parse_outcome_request
from .metrics import ServiceMetrics
from .middleware import json_response
from .parsing import RECORD_ID, Rows, known_columns, logged_columns, parse_json, parse_records
from .pending import PendingRequest, Predictions
from .settings import ServingSettings
from .unknown_fields import Fields, UnknownFields, check_present, find_unknown_fields
from .value_lengths import check_lengths

Parsed = TypeVar("Parsed")

_PREDICT_FIELDS = ["records", "?explain"]  # the latter, a parameter of the query, is what `explain` there is near to
_OUTCOMES_FIELDS = ["outcomes"]

# What takes less is done at once, in less time than a change of threads; other requests wait for it.
_SMALL_BODY = 16_384  # bytes of JSON
_FEW_ROWS = 100  # of a response


class Endpoints:
    """The endpoints, each a method with the name of its path. `outcomes` needs a log."""

    def __init__(self, settings: ServingSettings, batcher: Batcher, metrics: ServiceMetrics) -> None:
        self._settings, self._limits, self._batcher, self._metrics = settings, settings.limits, batcher, metrics
        self._deployment, self._log, self._keys = batcher.deployment, batcher.log, batcher.keys
        self._parsers = CapacityLimiter(1)  # large bodies are decoded one after the other, lest their memory adds up

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
        body = await request.body()
        records, fields, body_fields = await self._parse(parse_records, body, "records", self._limits)
        unknown = await self._check_fields(self._row_fields(fields), Fields(body_fields, _PREDICT_FIELDS))

        def make_rows(contract: Contract) -> Rows:
            return Rows.from_records(records, logged_columns(contract, self._keys))

        ids = [record.get(RECORD_ID) for record in records] if RECORD_ID in fields else None
        predictions = await self._predict(request, make_rows, len(records), explain, ids)
        identity = predictions.version.identity
        payload = {"model": identity.model, "version": identity.version}
        return await self._respond(predictions, unknown, payload, _to_payload)

    async def invocations(self, request: Request) -> Response:
        """Predict rows in MLflow's formats; the response is as MLflow's."""
        body, content_type = await request.body(), request.headers.get("content-type", "")
        contract = self._deployment.current.contract
        rows, fields, params, body_fields = await self._parse(
            parse_invocation, body, content_type, contract, self._settings, is_json="json" in content_type
        )
        unknown = await self._check_fields(
            self._row_fields(fields), Fields(body_fields, BODY_FIELDS), Fields(params, PARAMS)
        )
        explain, ids = params.get("explain") is True, rows.columns.get(RECORD_ID)
        predictions = await self._predict(request, lambda _: rows, rows.n_rows, explain, ids)
        return await self._respond(predictions, unknown, {}, lambda predictions: _to_records(predictions.columns))

    async def outcomes(self, request: Request) -> Response:
        """Store the outcomes of predictions."""
        assert self._log is not None
        version = self._deployment.current

        def parse(body: bytes) -> tuple[list[dict[str, Any]], list[str]]:
            parsed = parse_json(body, self._limits)
            check_present(parsed, _OUTCOMES_FIELDS, "outcomes must be a list of objects")
            outcomes = parsed.get("outcomes")
            self._limits.check_shape(len(outcomes) if isinstance(outcomes, list) else 0, 0, 0)
            return parse_outcome_request(parsed, self._keys, version.contract), list(parsed)

        outcomes, body_fields = await self._parse(parse, await request.body())
        unknown = await self._check_fields(Fields(body_fields, _OUTCOMES_FIELDS))
        try:
            unmatched = await run_in_threadpool(self._log.add_outcomes, version.identity.model, outcomes)
        except Exception as error:  # of whatever a database raises
            raise log_error(error, "outcomes") from error
        return json_response({"stored": len(outcomes), "without_prediction": unmatched} | _warnings(unknown))

    async def _parse(self, parse: Callable[..., Parsed], body: bytes, *arguments: Any, is_json: bool = True) -> Parsed:
        if is_json and len(body) < _SMALL_BODY:
            return parse(body, *arguments)
        return await to_thread.run_sync(parse, body, *arguments, limiter=self._parsers)

    def _row_fields(self, names: list[str]) -> Fields:
        return Fields(names, known_columns(self._deployment.current.contract, self._keys))

    async def _check_fields(self, *objects: Fields) -> UnknownFields | None:
        """The fields that are not known. Raises RequestError where they are refused."""
        if self._settings.unknown_fields == "ignore":
            return None
        if all(set(names) <= set(known) for names, known in objects):
            return None
        unknown = await run_in_threadpool(find_unknown_fields, *objects)
        if unknown is not None:
            self._metrics.count_unknown_fields(unknown)
            if self._settings.unknown_fields == "refuse":
                raise unknown.to_error()
        return unknown

    async def _predict(
        self, request: Request, make_rows: Callable[[Contract], Rows], n_rows: int, explain: bool, ids: Any
    ) -> Predictions:
        max_rows = self._limits.explained_rows if explain else self._limits.rows
        if n_rows > max_rows:
            raise too_many("rows", max_rows)
        record_ids = read_record_ids(ids, self._deployment.current.contract, self._keys)
        caller = request.state.caller._replace(record_ids=record_ids)

        def make_checked_rows(contract: Contract) -> Rows:
            columns = logged_columns(contract, self._keys)
            return check_lengths(make_rows(contract), columns, self._limits.characters)

        pending = PendingRequest(make_checked_rows, n_rows, explain, caller)
        return await self._batcher.predict(pending, _disconnect(request))

    async def _respond(
        self,
        predictions: Predictions,
        unknown: UnknownFields | None,
        payload: dict[str, Any],
        to_records: Callable[[Predictions], list[dict[str, Any]]],
    ) -> Response:
        def respond() -> Response:
            self._metrics.count_predictions(predictions.columns, bool(predictions.version.classes))
            body = payload | {"predictions": to_records(predictions)} | _warnings(unknown)
            return json_response(body, headers=_response_headers(predictions))

        return respond() if len(predictions.ids) <= _FEW_ROWS else await run_in_threadpool(respond)


async def _disconnect(request: Request) -> None:
    """Return when the client has closed the connection of a request whose body is read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _warnings(unknown: UnknownFields | None) -> dict[str, Any]:
    return {} if unknown is None else {"unknown_fields": unknown.describe()}


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
