"""Rows of the prediction log, made from the rows of requests and their predictions."""

import itertools
import random
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic_core import from_json, to_json

from ...contract import EXPLANATION, PREDICTION, REASONS, SOURCE, Contract, ContractError, parse_datetime, to_utc
from ..parsing import Rows, to_number
from .tables import DRAWS, KEY, MAX_KEY_BYTES


def utc_now() -> datetime:
    """The present time in UTC without a time zone, as databases store it."""
    return datetime.now(UTC).replace(tzinfo=None)


def as_json(value: Any) -> str:
    """JSON of any value of a request: null for NaN, text for types that JSON does not have."""
    return to_json(value, inf_nan_mode="null", bytes_mode="base64", fallback=str).decode()


def make_keys(rows: Rows, keys: Sequence[str], contract: Contract) -> list[str | None]:
    """The key of each row: the values of the key columns in their order, as JSON.

    A value has one form in all formats of requests: a date-time of JSON and one of Parquet, 7 and 7.0. A number and its
    text differ here: `equivalent_references` joins them. A row without one of the values has no key, and no row has one
    if there are no key columns.

    Raises:
        ContractError: a key is longer than MAX_KEY_BYTES.
    """
    if not keys or any(name not in rows.columns for name in keys):
        return [None] * rows.n_rows
    columns = []
    for name in keys:
        is_time = name == contract.time or name in contract.of_type("datetime")
        values = np.asarray(rows.columns[name], dtype=object)
        columns.append([_canonical(value, contract.zone if is_time else None) for value in values])
    row_keys = [None if None in values else as_json(values) for values in zip(*columns, strict=True)]
    for position, key in enumerate(row_keys):
        if key is not None and len(key.encode()) > MAX_KEY_BYTES:
            size = f"{len(key.encode()):,} bytes, the limit is {MAX_KEY_BYTES:,}"
            raise ContractError(f"row {position}: the key of {', '.join(keys)} has {size}")
    return row_keys


def _canonical(value: Any, zone: tzinfo | None) -> Any:
    """The form of a value of a key; `zone` is that of a date-time, None for other values."""
    if zone is not None:
        time = parse_datetime(value, zone)
        return None if time is None else str(time.astype("datetime64[s]"))
    if isinstance(value, str):
        return value
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int | float | bool) else str(value)


def equivalent_references(reference: str) -> list[str]:
    """The references of an outcome that name the same row: a number and its text are the same value of a key.

    The key of a prediction has the type that the client sent, which an outcome may not have: a cell of a CSV file has
    none. So the text "1067" also stands for the number 1067, and the number for the text. The text "01067" stands for
    itself only, because numbers are not written like this.
    """
    if not reference.startswith(KEY):
        return [reference]
    forms = []
    for value in from_json(reference.removeprefix(KEY)):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        forms.append(dict.fromkeys([value, str(value) if is_number else to_number(value)]))
    return list(dict.fromkeys([reference, *(KEY + as_json(values) for values in itertools.product(*forms))]))


class LogContext(NamedTuple):
    """What the log stores of a request besides its rows and their predictions."""

    ids: list[str]
    keys: list[str | None]
    latency_ms: float  # from the arrival of the request to its predictions
    record_ids: list[str | None] | None = None  # the caller's own ids of the rows
    request_id: str | None = None  # the caller's own id of the request
    api_key: str | None = None  # its name


def make_log_rows(
    rows: Rows, predictions: dict[str, np.ndarray], context: LogContext, contract: Contract, model: str, version: str
) -> list[dict[str, Any]]:
    """A row of the log for each row of a request and its prediction, as a version of a model returned it."""
    now = utc_now()
    names = list(rows.columns)
    scores = [name for name in predictions if name not in (PREDICTION, SOURCE, REASONS, EXPLANATION)]
    columns = zip(
        context.ids,
        context.keys,
        context.record_ids or [None] * rows.n_rows,
        _event_times(rows, contract, now),
        zip(*(np.asarray(values, dtype=object) for values in rows.columns.values()), strict=True),
        zip(*(predictions[name].tolist() for name in scores), strict=True),
        *(predictions[name].tolist() for name in (PREDICTION, SOURCE, REASONS)),
        strict=True,
    )
    return [
        {
            "id": row_id,
            "time": now,
            "event_time": event_time,
            "draw": random.randrange(DRAWS),
            "model": model,
            "version": version,
            "key": key,
            "input": as_json(dict(zip(names, values, strict=True))),
            "prediction": as_json(prediction),
            "numbers": as_json(dict(zip(scores, row_scores, strict=True))),
            "source": source,
            "reasons": as_json(reasons),
            "latency_ms": context.latency_ms,
            "record_id": record_id,
            "request_id": context.request_id,
            "api_key": context.api_key,
        }
        for row_id, key, record_id, event_time, values, row_scores, prediction, source, reasons in columns
    ]


def _event_times(rows: Rows, contract: Contract, now: datetime) -> list[datetime]:
    """The time in UTC that each row is about: that of the contract's time column, or else that of the prediction."""
    if contract.time is None or contract.time not in rows.columns:
        return [now] * rows.n_rows
    parsed = [parse_datetime(value, contract.zone) for value in rows.columns[contract.time]]
    times = [None if time is None else time.astype("datetime64[us]").item() for time in parsed]
    return [to_utc(time, contract.zone) if isinstance(time, datetime) else now for time in times]
