"""The endpoints of a service with many models: of one by its name, and of rows that are routed by their segment."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, NamedTuple

from fastapi import Request, Response

from ..contract import describe_where
from .backlog import Backlog
from .bodies import BodyParser, disconnect
from .deployments import Deployments
from .endpoints import PREDICT_FIELDS, ModelEndpoints, check_count, store_outcomes
from .errors import RequestError
from .log.attribution import add_outcomes_of_models
from .log.prediction_log import PredictionLog
from .metrics import ServiceMetrics
from .middleware import json_response
from .parsing import parse_records
from .pending import PendingRequest, Predictions, new_id
from .responses import respond, warn
from .routing import Router
from .service_endpoints import ServiceEndpoints, describe_registry
from .unknown_fields import Fields, UnknownFields


class _Part(NamedTuple):
    """The rows of a request that one model predicts."""

    endpoints: ModelEndpoints
    pending: PendingRequest


class ManyEndpoints(ServiceEndpoints):
    """The endpoints, each a method; those of one model take its name."""

    def __init__(
        self,
        deployments: Deployments,
        backlog: Backlog,
        metrics: ServiceMetrics,
        parser: BodyParser,
        log: PredictionLog | None,
    ) -> None:
        super().__init__(backlog, metrics)
        self._deployments, self._parser, self._log = deployments, parser, log
        self._settings, self._limits = deployments.settings, deployments.settings.shared.limits
        self._router = Router(self._settings.segments)

    async def ready(self) -> Response:
        """At least one model can be served; which can't is told."""
        loaded = self._deployments.loaded
        payload = {
            "status": "ready",
            "models": len(self._deployments.models),
            "loaded": {deployment.name: deployment.current.identity.version for deployment in loaded},
            "unavailable": self._deployments.unavailable(),
            "refused": {one.name: one.refused_versions for one in loaded if one.refused_versions},
        }
        return json_response(payload | describe_registry(self._deployments))

    async def models(self) -> Response:
        """The models, the version of each, and the rows that `/predict` sends to it."""
        unavailable, loaded = self._deployments.unavailable(), {one.name for one in self._deployments.loaded}
        models = []
        for name in self._deployments.models:
            where = self._settings.segments.get(name)
            rows = describe_where(where) if where else "all others" if name == self._settings.default else None
            version = {"name": name, "version": self._deployments.version(name), "loaded": name in loaded}
            models.append(version | {"rows": rows, "error": unavailable.get(name)})
        return json_response({"models": models})

    async def predict_by(self, name: str, request: Request, explain: bool = False) -> Response:
        """Predict records with one model, in their order."""
        async with self._deployments.use(name) as endpoints:
            return await endpoints.predict(request, explain)

    async def invocations_by(self, name: str, request: Request) -> Response:
        """Predict rows with one model in MLflow's formats; the response is as MLflow's."""
        async with self._deployments.use(name) as endpoints:
            return await endpoints.invocations(request)

    async def outcomes_by(self, name: str, request: Request) -> Response:
        """Store the outcomes of predictions of one model."""
        async with self._deployments.use(name) as endpoints:
            return await endpoints.outcomes(request)

    async def predict(self, request: Request, explain: bool = False) -> Response:
        """Predict each record with the model of its segment, or else that of all rows; the response says which."""
        body = await request.body()
        records, fields, body_fields = await self._parser.parse(parse_records, body, "records", self._limits)
        check_count(len(records), explain, self._limits)
        caller, request_id = request.state.caller, new_id()
        async with AsyncExitStack() as stack:
            parts: list[_Part] = []
            for endpoints, positions in await self._choose(stack, self._router.group(records)):
                own = [records[position] for position in positions]
                pending = endpoints.make_request(caller, own, explain, request_id=request_id, positions=positions)
                parts.append(_Part(endpoints, pending))
            unknown = await _check_fields(parts, fields, body_fields)
            predictions = await self._predict(request, parts)

        def make_body() -> dict[str, Any]:
            return {"predictions": _merge(parts, predictions, len(records))} | warn(unknown)

        return await respond(make_body, [f"{request_id}-{position}" for position in range(len(records))])

    async def _choose(
        self, stack: AsyncExitStack, groups: dict[str | None, list[int]]
    ) -> list[tuple[ModelEndpoints, list[int]]]:
        """The models that predict the rows of segments, each with the positions of its rows, in order."""
        chosen: dict[str, tuple[ModelEndpoints, list[int]]] = {}
        for segment, positions in groups.items():
            endpoints = await self._enter_first(stack, [segment, self._settings.default])
            name = endpoints.batcher.deployment.name
            chosen[name] = endpoints, sorted([*(chosen[name][1] if name in chosen else []), *positions])
        return list(chosen.values())

    async def _enter_first(self, stack: AsyncExitStack, names: Sequence[str | None]) -> ModelEndpoints:
        """The first of some models that is available. Raises RequestError if none is."""
        columns = self._router.columns
        error = RequestError(
            422, "no_model", f"no model is for these values of {', '.join(columns)}", "records", columns
        )
        for name in names:
            if name is None:
                continue
            try:
                return await stack.enter_async_context(self._deployments.use(name))
            except RequestError as failure:
                error = failure
        raise error

    async def _predict(self, request: Request, parts: Sequence[_Part]) -> list[Predictions]:
        """The predictions of each part. If one fails, those that are not stored yet are withdrawn."""
        requests = [(part.endpoints.batcher, part.pending) for part in parts]
        seconds = sum(batcher.paces.expected_seconds(one.n_rows, one.explain) for batcher, one in requests)
        disconnection = asyncio.ensure_future(disconnect(request))
        try:
            with self._backlog.admit(sum(one.n_rows for _, one in requests), seconds):
                tasks = [
                    asyncio.ensure_future(batcher.predict_admitted(one, disconnection)) for batcher, one in requests
                ]
                try:
                    return await asyncio.gather(*tasks)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)  # their rows have left the queues
        finally:
            disconnection.cancel()

    async def outcomes(self, request: Request) -> Response:
        """Store the outcomes of predictions, each for the model that has made the prediction."""
        assert self._log is not None
        loaded = [deployment.name for deployment in self._deployments.loaded]
        async with AsyncExitStack() as stack:
            endpoints = await self._enter_first(stack, [self._settings.default, *loaded])
            outcomes, unknown = await endpoints.parse_outcomes(request)
        add = partial(add_outcomes_of_models, self._log, self._settings, self._router)
        return await store_outcomes(add, outcomes, unknown)


async def _check_fields(parts: Sequence[_Part], fields: list[str], body_fields: list[str]) -> UnknownFields | None:
    """The fields that no model knows of those that predict the rows."""
    known = {column: None for part in parts for column in part.endpoints.columns}
    objects = Fields(fields, known), Fields(body_fields, PREDICT_FIELDS)
    return await parts[0].endpoints.check(*objects) if parts else None


def _merge(parts: Sequence[_Part], predictions: Sequence[Predictions], n_rows: int) -> list[dict[str, Any]]:
    """The predictions of all rows, in their order, each with the version that made it."""
    rows: list[dict[str, Any]] = [{}] * n_rows
    for part, made in zip(parts, predictions, strict=True):
        identity = made.version.identity
        version = {"model": identity.model, "version": identity.version}
        for position, row in zip(part.pending.positions or (), part.endpoints.to_payload(made), strict=True):
            rows[position] = row | version
    return rows
