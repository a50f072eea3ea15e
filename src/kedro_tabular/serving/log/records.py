"""Rows of the prediction log, made from rows that were asked and their answers."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic_core import to_json

from ...contract import Contract, parse_datetime
from ..parsing import Rows
from .tables import DRAWS

_LEFT_OUT = ("prediction", "source", "reasons", "explanation")


def utc_now() -> datetime:
    """Now, in UTC and without a time zone, as databases keep it."""
    return datetime.now(UTC).replace(tzinfo=None)


def as_json(value: Any) -> str:
    """JSON of any value that a request can hold: NaN becomes null, what JSON does not know its text."""
    return to_json(value, inf_nan_mode="null", bytes_mode="base64", fallback=str).decode()


def make_keys(rows: Rows, keys: Sequence[str], contract: Contract) -> list[str | None]:
    """What tells the case of each row apart, as JSON of the values of the key columns in their order.

    A value is written alike whatever way it came: `2013-10-01T05:15`, a date-time of Parquet, 7 or 7.0. A row
    that lacks one of the values has no key, and no row has where there are no key columns.
    """
    if not keys or any(name not in rows.columns for name in keys):
        return [None] * rows.n_rows
    columns = []
    for name in keys:
        is_time = name == contract.time or name in contract.of_type("datetime")
        values = np.asarray(rows.columns[name], dtype=object)
        columns.append([_canonical(value, is_time) for value in values])
    return [None if None in values else as_json(values) for values in zip(*columns, strict=True)]


def _canonical(value: Any, is_time: bool) -> Any:
    if is_time:
        moment = parse_datetime(value)
        return None if moment is None else str(moment.astype("datetime64[s]"))
    if isinstance(value, str):
        return value
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int | float | bool) else str(value)


class LogContext(NamedTuple):
    """What the log keeps of the rows of one request, beside rows and answers."""

    identifiers: list[str]
    keys: list[str | None]
    latency_ms: float


def make_log_rows(
    rows: Rows, answers: dict[str, np.ndarray], entered: LogContext, contract: Contract, model: str, version: str
) -> list[dict[str, Any]]:
    """A row of the log for each answer.

    Args:
        rows: what was asked.
        answers: as the packaged model gives them, in the same order.
        entered: ids, keys and the time from the arrival of the request to its answers.
        contract: names the column of the time that a row is about, if any.
        model: the model that answered.
        version: and its version.
    """
    now = utc_now()
    events = _event_times(rows, contract, now)
    names, numbers = list(rows.columns), [name for name in answers if name not in _LEFT_OUT]
    asked = zip(*(np.asarray(values, dtype=object) for values in rows.columns.values()), strict=True)
    said = zip(*(answers[name].tolist() for name in numbers), strict=True)
    others = (answers[name].tolist() for name in ("prediction", "source", "reasons"))
    return [
        {
            "id": identifier,
            "time": now,
            "event_time": event,
            "draw": random.randrange(DRAWS),
            "model": model,
            "version": version,
            "key": key,
            "input": as_json(dict(zip(names, row, strict=True))),
            "prediction": as_json(prediction),
            "numbers": as_json(dict(zip(numbers, found, strict=True))),
            "source": source,
            "reasons": as_json(reasons),
            "latency_ms": entered.latency_ms,
        }
        for identifier, event, key, row, found, prediction, source, reasons in zip(
            entered.identifiers, events, entered.keys, asked, said, *others, strict=True
        )
    ]


def _event_times(rows: Rows, contract: Contract, now: datetime) -> list[datetime]:
    """The time that each row is about: that of the contract's time column, or else of the answer."""
    if contract.time is None or contract.time not in rows.columns:
        return [now] * rows.n_rows
    moments = [parse_datetime(value) for value in rows.columns[contract.time]]
    found = [None if moment is None else moment.astype("datetime64[us]").item() for moment in moments]
    return [moment if isinstance(moment, datetime) else now for moment in found]
