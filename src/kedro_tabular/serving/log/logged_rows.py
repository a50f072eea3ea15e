"""The prediction log as monitoring reads it: by window and version, in chunks, as Arrow tables.

The database makes one JSON text of each prediction, and Arrow parses many of them at once: Python objects for all
values would take longer than the rest of monitoring.
"""

import functools
import itertools
import json
import operator
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pj
import sqlalchemy as sa

from ...contract import (
    ColumnType,
    Contract,
    RowReasons,
    check_rows,
    parse_datetime,
    parse_outcomes,
    score_columns,
    to_datetimes,
    to_string_array,
)
from ...monitoring import INPUT, OUTCOME, RowSelection, Window, WindowSummary
from ..parsing import Rows
from .prediction_log import LogDataset, PredictionLog
from .tables import DRAWS, ERRORS, ID, KEY, OUTCOMES, PREDICTIONS, select_outcome

_CHUNK_ROWS = 20_000
_ERROR_DELAY = timedelta(minutes=1)  # errors are stored a little later than they happen
_TYPES: dict[ColumnType, pa.DataType] = {
    "category": pa.string(),
    "number": pa.float64(),
    "datetime": pa.string(),  # Arrow would convert those with a time zone to UTC
}


class LoggedRows:
    """Scored rows in an open prediction log."""

    def __init__(self, log: PredictionLog) -> None:
        self._engine = log.engine

    def summarize(self, model: str, window: Window) -> WindowSummary:
        """Count the rows of the window by version."""
        table = PREDICTIONS.c
        counts = sa.select(table.version, sa.func.count(), sa.func.min(table.time), sa.func.max(table.time))
        event_times = sa.select(sa.func.min(table.event_time), sa.func.max(table.event_time))
        with self._engine.connect() as connection:
            by_version = connection.execute(counts.where(_in_window(model, window)).group_by(table.version)).all()
            periods = [ERRORS.c.time.between(*window.in_utc())]
            if by_version:  # rows may be about another time than that of their predictions
                last_prediction = max(row[3] for row in by_version) + _ERROR_DELAY
                periods.append(ERRORS.c.time.between(min(row[2] for row in by_version), last_prediction))
            of_model = sa.or_(ERRORS.c.model == model, ERRORS.c.model.is_(None))  # unknown in earlier releases
            by_code = sa.select(ERRORS.c.code, sa.func.sum(ERRORS.c.requests)).where(sa.or_(*periods), of_model)
            errors = {code: int(n) for code, n in connection.execute(by_code.group_by(ERRORS.c.code))}
            first, last, unmatched = None, None, 0
            if not by_version:
                first, last = connection.execute(event_times.where(table.model == model)).one()
                if first is None:  # an outcome may be stored twice: with the number and with its text
                    references = sa.func.replace(OUTCOMES.c.reference, '"', "")
                    count = sa.select(sa.func.count(references.distinct())).where(OUTCOMES.c.model == model)
                    unmatched = connection.execute(count).scalar_one()
            earlier = sa.and_(table.model == model, table.event_time < window.in_utc()[0])
            last_before = connection.execute(sa.select(sa.func.max(table.event_time)).where(earlier)).scalar_one()
            n_before = 0
            if last_before is not None:
                recent = sa.and_(earlier, table.event_time > last_before - (window.until - window.since))
                n_before = connection.execute(sa.select(sa.func.count()).where(recent)).scalar_one()
        by_number = {row[0]: row[1] for row in by_version}
        times = (None if time is None else window.to_local(time) for time in (first, last, last_before))
        first, last, last_before = times
        return WindowSummary(by_number, first, last, errors, unmatched, last_before, n_before)

    def read(self, selection: RowSelection, contract: Contract, classes: list[str] | None) -> pa.Table:
        """The selected rows."""
        schema = _schema(contract, classes)
        condition = sa.and_(_in_window(selection.model, selection.window), PREDICTIONS.c.version == selection.version)
        if selection.fraction < 1:
            condition = sa.and_(condition, PREDICTIONS.c.draw < selection.fraction * DRAWS)
        with self._engine.connect() as connection:
            outcome = select_outcome(_used_prefixes(connection, selection.model))
            query = sa.select(_json_line(outcome)).where(condition)
            lines = connection.execution_options(yield_per=_CHUNK_ROWS).execute(query).scalars()
            with ThreadPoolExecutor(1) as executor:  # Arrow parses one chunk while the next is fetched
                parse = functools.partial(_parse, schema=schema, contract=contract)
                tables = list(executor.map(parse, lines.partitions()))
        return _normalize(pa.concat_tables(tables) if tables else schema.empty_table(), contract, classes)


def _in_window(model: str, window: Window) -> sa.ColumnElement[bool]:
    table, (since, until) = PREDICTIONS.c, window.in_utc()
    return sa.and_(table.model == model, table.event_time >= since, table.event_time < until)


def _used_prefixes(connection: sa.Connection, model: str) -> list[str]:
    """The prefixes that references of outcomes have: a look-up without matches costs as much as others."""
    prefixes, of_model = (ID, KEY), OUTCOMES.c.model == model
    exists = [sa.exists().where(of_model, OUTCOMES.c.reference.startswith(prefix)) for prefix in prefixes]
    return list(itertools.compress(prefixes, connection.execute(sa.select(*exists)).one()))


def _json_line(outcome: sa.ColumnElement[str | None]) -> sa.ColumnElement[str]:
    """A prediction as JSON; the outcome, which may be of any type, as a text that contains JSON."""
    table, text = PREDICTIONS.c, sa.Text
    quoted = sa.func.replace(sa.func.replace(outcome, "\\", "\\\\"), '"', '\\"')
    parts: list[Any] = ['{"input":', table.input, ',"numbers":', table.numbers, ',"prediction":']
    parts += [table.prediction, ',"reasons":', table.reasons, ',"source":"', table.source]
    parts += ['","event_time":"', sa.cast(table.event_time, text), '","latency_ms":']
    parts += [sa.cast(table.latency_ms, text), sa.func.coalesce(',"outcome":"' + quoted + '"', ""), "}"]
    return functools.reduce(operator.add, (sa.literal(part, text) if isinstance(part, str) else part for part in parts))


def _schema(contract: Contract, classes: list[str] | None) -> pa.Schema:
    scores = [] if classes is None else [(name, pa.float64()) for name in score_columns(classes)]
    fields = [
        ("input", pa.struct([(name, _TYPES[column.type]) for name, column in contract.columns.items()])),
        ("prediction", pa.float64()) if classes is None else ("numbers", pa.struct(scores)),
        ("reasons", pa.list_(pa.string())),
        ("source", pa.string()),
        ("event_time", pa.timestamp("us")),
        ("latency_ms", pa.float64()),
        ("outcome", pa.string()),
    ]
    return pa.schema(fields)


def _parse(lines: Sequence[str], schema: pa.Schema, contract: Contract) -> pa.Table:
    data = "\n".join(lines).encode()
    try:
        return pj.read_json(
            pa.BufferReader(data),
            read_options=pj.ReadOptions(block_size=max(len(data), 1)),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:  # a client has sent a value of a wrong type
        return _parse_row_by_row(lines, schema, contract)


def _parse_row_by_row(lines: Sequence[str], schema: pa.Schema, contract: Contract) -> pa.Table:
    """A value of a wrong type is missing, as it is for the model."""
    records = [json.loads(line) for line in lines]
    raw = Rows.from_records([record.pop("input") for record in records], contract.columns)
    for record in records:
        record["event_time"] = datetime.fromisoformat(record["event_time"])
    clean = check_rows(contract, raw.columns, RowReasons(raw.n_rows, {}))
    for name in contract.of_type("datetime"):
        clean[name] = np.datetime_as_string(clean[name]).astype(object)  # "NaT" is parsed as missing
    fields = list(schema.field("input").type)
    arrays = [pa.array(clean[field.name], field.type) for field in fields]
    rows = pa.Table.from_pylist(records, schema.remove(schema.get_field_index("input")))
    return rows.append_column("input", pa.StructArray.from_arrays(arrays, fields=fields)).select(schema.names)


def _normalize(rows: pa.Table, contract: Contract, classes: list[str] | None) -> pa.Table:
    outcome = parse_outcomes(to_string_array(rows["outcome"]), json.loads, classes)
    rows = rows.set_column(rows.schema.get_field_index("outcome"), OUTCOME, outcome)
    if contract.zone is not UTC:
        in_utc = rows["event_time"].to_pandas().dt.tz_localize(UTC)
        event_time = pa.array(to_datetimes(in_utc, None, contract.zone))
        rows = rows.set_column(rows.schema.get_field_index("event_time"), "event_time", event_time)
    flat = rows.flatten()
    for name in contract.of_type("datetime"):
        position = flat.schema.get_field_index(INPUT + name)
        flat = flat.set_column(position, INPUT + name, _parse_datetimes(flat[INPUT + name], contract.zone))
    return flat.rename_columns([name.removeprefix("numbers.") for name in flat.column_names])


def _parse_datetimes(texts: pa.ChunkedArray, zone: tzinfo) -> pa.Array:
    encoded = to_string_array(texts).dictionary_encode()
    times = np.array([parse_datetime(text, zone) for text in encoded.dictionary.to_pylist()], "datetime64[us]")
    return pa.array(times, pa.timestamp("us")).take(encoded.indices)


class LoggedRowsDataset(LogDataset[LoggedRows]):
    """The prediction log, for monitoring."""

    def load(self) -> LoggedRows:
        """Open the log."""
        return LoggedRows(self.open_log())
