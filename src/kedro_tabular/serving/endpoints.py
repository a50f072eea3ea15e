"""The endpoints of one model."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from ..contract import Contract
from .batching import Batcher
from .bodies import BodyParser, disconnect
from .callers import Caller, read_record_ids
from .errors import too_many
from .invocations import BODY_FIELDS, PARAMS, parse_invocation
from .log.database_errors import log_error
from .log.outcomes import parse_outcome_request
from .metrics import ServiceMetrics
from .middleware import json_response
from .parsing import RECORD_ID, Rows, known_columns, logged_columns, parse_json, parse_records
from .pending import PendingRequest, Predictions
from .responses import respond, to_payload, to_records, warn
from .settings import Limits, ServingSettings
from .unknown_fields import Fields, UnknownFields, check_present, find_unknown_fields
from .value_lengths import check_lengths

PREDICT_FIELDS = ["records", "?explain"]  # the latter, a parameter of the query, is what `explain` there is near to
OUTCOMES_FIELDS = ["outcomes"]


class ModelEndpoints:
    """The endpoints of one model, each a method with the name of its path. `outcomes` needs a log."""

    def __init__(
        self, settings: ServingSettings, batcher: Batcher, metrics: ServiceMetrics, parser: BodyParser
    ) -> None:
        self._settings, self._limits, self._metrics, self._parser = settings, settings.limits, metrics, parser
        self.batcher, self._deployment, self._log, self._keys = batcher, batcher.deployment, batcher.log, batcher.keys

    async def predict(self, request: Request, explain: bool = False) -> Response:
        """Predict records, in their order."""
        body = await request.body()
        records, fields, body_fields = await self._parser.parse(parse_records, body, "records", self._limits)
        unknown = await self.check(Fields(fields, self.columns), Fields(body_fields, PREDICT_FIELDS))
        pending = self.make_request(request.state.caller, records, explain)
        predictions = await self.batcher.predict(pending, disconnect(request))
        identity = predictions.version.identity
        payload = {"model": identity.model, "version": identity.version}
        return await respond(
            lambda: payload | {"predictions": self.to_payload(predictions)} | warn(unknown), predictions.ids
        )

    async def invocations(self, request: Request) -> Response:
        """Predict rows in MLflow's formats; the response is as MLflow's."""
        body, content_type = await request.body(), request.headers.get("content-type", "")
        contract = self._deployment.current.contract
        rows, fields, params, body_fields = await self._parser.parse(
            parse_invocation, body, content_type, contract, self._settings, is_json="json" in content_type
        )
        unknown = await self.check(
            Fields(fields, self.columns), Fields(body_fields, BODY_FIELDS), Fields(params, PARAMS)
        )
        explain, ids = params.get("explain") is True, rows.columns.get(RECORD_ID)
        pending = self._make_request(request.state.caller, lambda _: rows, rows.n_rows, explain, ids)
        predictions = await self.batcher.predict(pending, disconnect(request))

        def make_body() -> dict[str, Any]:
            self._count(predictions)
            return {"predictions": to_records(predictions.columns)} | warn(unknown)

        return await respond(make_body, predictions.ids)

    async def outcomes(self, request: Request) -> Response:
        """Store the outcomes of predictions."""
        assert self._log is not None
        model = self._deployment.current.identity.model
        outcomes, unknown = await self.parse_outcomes(request)
        return await store_outcomes(partial(self._log.add_outcomes, model), outcomes, unknown)

    async def parse_outcomes(self, request: Request) -> tuple[list[dict[str, Any]], UnknownFields | None]:
        """The outcomes in the body of a request, as rows of the log, and its unknown fields."""
        contract = self._deployment.current.contract

        def parse(body: bytes) -> tuple[list[dict[str, Any]], list[str]]:
            parsed = parse_json(body, self._limits)
            check_present(parsed, OUTCOMES_FIELDS, "outcomes must be a list of objects")
            outcomes = parsed.get("outcomes")
            self._limits.check_shape(len(outcomes) if isinstance(outcomes, list) else 0, 0, 0)
            return parse_outcome_request(parsed, self._keys, contract), list(parsed)

        outcomes, body_fields = await self._parser.parse(parse, await request.body())
        return outcomes, await self.check(Fields(body_fields, OUTCOMES_FIELDS))

    @property
    def columns(self) -> list[str]:
        """The columns of rows that are read."""
        return known_columns(self._deployment.current.contract, self._keys)

    async def check(self, *objects: Fields) -> UnknownFields | None:
        """The fields of objects that are not known. Raises RequestError where they are refused."""
        if self._settings.unknown_fields == "ignore":
            return None
        if all(set(names) <= set(known) for names, known in objects):
            return None
        unknown = await run_in_threadpool(find_unknown_fields, *objects)
        if unknown is not None:
            self._metrics.count_unknown_fields(self._deployment.name, unknown)
            if self._settings.unknown_fields == "refuse":
                raise unknown.to_error()
        return unknown

    def make_request(
        self, caller: Caller, records: list[dict[str, Any]], explain: bool, **fields: Any
    ) -> PendingRequest:
        """A request for the predictions of records, which has such other fields.

        Raises:
            RequestError: there are too many records, or an id among them is not valid.
        """

        def make_rows(contract: Contract) -> Rows:
            return Rows.from_records(records, logged_columns(contract, self._keys))

        has_ids = any(RECORD_ID in record for record in records)
        ids = [record.get(RECORD_ID) for record in records] if has_ids else None
        return self._make_request(caller, make_rows, len(records), explain, ids, **fields)

    def _make_request(
        self, caller: Caller, make_rows: Callable[[Contract], Rows], n_rows: int, explain: bool, ids: Any, **fields: Any
    ) -> PendingRequest:
        check_count(n_rows, explain, self._limits)
        record_ids = read_record_ids(ids, self._deployment.current.contract, self._keys)

        def make_checked_rows(contract: Contract) -> Rows:
            columns = logged_columns(contract, self._keys)
            return check_lengths(make_rows(contract), columns, self._limits.characters)

        return PendingRequest(make_checked_rows, n_rows, explain, caller._replace(record_ids=record_ids), **fields)

    def to_payload(self, predictions: Predictions) -> list[dict[str, Any]]:
        """Predictions as records, which are counted in the metrics."""
        self._count(predictions)
        return to_payload(predictions)

    def _count(self, predictions: Predictions) -> None:
        self._metrics.count_predictions(self._deployment.name, predictions.columns, bool(predictions.version.classes))


def check_count(n_rows: int, explain: bool, limits: Limits) -> None:
    """Raises RequestError: a request has too many rows."""
    most = limits.explained_rows if explain else limits.rows
    if n_rows > most:
        raise too_many("rows", most)


async def store_outcomes(
    add: Callable[[list[dict[str, Any]]], int], outcomes: list[dict[str, Any]], unknown: UnknownFields | None
) -> Response:
    """Add outcomes to the log; `add` returns how many of them have no prediction yet."""
    try:
        unmatched = await run_in_threadpool(add, outcomes)
    except Exception as error:  # of whatever a database raises
        raise log_error(error, "outcomes") from error
    return json_response({"stored": len(outcomes), "without_prediction": unmatched} | warn(unknown))
