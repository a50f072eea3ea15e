"""Responses to requests for predictions."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Response
from fastapi.concurrency import run_in_threadpool

from ..contract import is_probability, probability_column
from .middleware import json_response
from .pending import Predictions
from .unknown_fields import UnknownFields

_FEW_ROWS = 100  # of a response that is made at once, in less time than a change of threads


async def respond(make_body: Callable[[], dict[str, Any]], ids: Sequence[str]) -> Response:
    """A response with predictions of these ids; a large one is made in a thread, as other requests wait for it."""

    def make() -> Response:
        return json_response(make_body(), headers=_response_headers(ids))

    return make() if len(ids) <= _FEW_ROWS else await run_in_threadpool(make)


def warn(unknown: UnknownFields | None) -> dict[str, Any]:
    """The part of a body that names unknown fields."""
    return {} if unknown is None else {"unknown_fields": unknown.describe()}


def to_records(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns as a list of rows."""
    lists = [values if isinstance(values, list) else values.tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def to_payload(predictions: Predictions) -> list[dict[str, Any]]:
    """Predictions as records, with the probabilities in an object of their own."""
    columns, classes = predictions.columns, predictions.version.classes
    fields: dict[str, Any] = {"id": predictions.ids}
    fields |= {name: values for name, values in columns.items() if not is_probability(name)}
    if predictions.record_ids is not None and any(predictions.record_ids):
        fields["record_id"] = predictions.record_ids
    if classes:
        fields["probability"] = to_records({label: columns[probability_column(label)] for label in classes})
    return to_records(fields)


def _response_headers(ids: Sequence[str]) -> dict[str, str]:
    """What the ids of the rows start with, which is also the id of a request to which its caller has given none."""
    start = ids[0].rpartition("-")[0] if ids else ""
    return {"x-prediction-id": start, "x-request-id": start} if start else {}
