"""The prediction log as monitoring reads it: by window and version, in pieces, as Arrow tables.

The database makes one JSON text of a prediction, and Arrow takes those of many apart: a Python object for
each value of many rows would cost more than all that monitoring does with them.
"""

import functools
import json
import operator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pj
import sqlalchemy as sa

from ...contract import (
    ColumnType,
    Contract,
    RowReasons,
    as_text,
    check_rows,
    parse_datetime,
    parse_outcomes,
    score_columns,
)
from ...datasets import ReadOnlyDataset
from ...monitoring import INPUT, OUTCOME, Part, Window, WindowContents
from .prediction_log import PredictionLog, open_log, shown
from .tables import DRAWS, ERRORS, OUTCOMES, PREDICTIONS, with_outcomes

_ROWS = 20_000
_COUNTED_WITHIN = timedelta(minutes=1)  # errors are stored a little later than they happen
_TYPES: dict[ColumnType, pa.DataType] = {
    "category": pa.string(),
    "number": pa.float64(),
    "datetime": pa.string(),  # Arrow would turn one with a time zone into UTC, the model takes it as missing
}


class LoggedRows:
    """Scored rows in a prediction log.

    Args:
        log: the log, open.
    """

    def __init__(self, log: PredictionLog) -> None:
        self._engine = log.engine

    def look(self, model: str, window: Window) -> WindowContents:
        """What there is."""
        table = PREDICTIONS.c
        inside = _inside(model, window)
        answered = (sa.func.count(), sa.func.min(table.time), sa.func.max(table.time))
        by_version = sa.select(table.version, *answered)
        span = sa.select(sa.func.min(table.event_time), sa.func.max(table.event_time))
        with self._engine.connect() as connection:
            found = connection.execute(by_version.where(inside).group_by(table.version)).all()
            meanwhile = [ERRORS.c.time.between(*window)]
            if found:  # rows may be about another time than that of their answers
                last_answer = max(row[3] for row in found) + _COUNTED_WITHIN
                meanwhile.append(ERRORS.c.time.between(min(row[2] for row in found), last_answer))
            counted = sa.select(ERRORS.c.code, sa.func.sum(ERRORS.c.requests)).where(sa.or_(*meanwhile))
            by_code = connection.execute(counted.group_by(ERRORS.c.code)).all()
            errors = {code: int(n) for code, n in by_code}
            first, last = None, None
            if not found:
                first, last = connection.execute(span.where(table.model == model)).one()
            outcomes = 0
            if first is None:  # outcomes of what?
                outcomes = connection.execute(sa.select(sa.func.count()).select_from(OUTCOMES)).scalar_one()
        return WindowContents({row[0]: row[1] for row in found}, first, last, errors, outcomes)

    def read(self, part: Part, contract: Contract, classes: list[str] | None) -> pa.Table:
        """The rows, or as many of them, drawn at random, as the part asks for."""
        schema = _schema(contract, classes)
        inside = sa.and_(_inside(part.model, part.window), PREDICTIONS.c.version == part.version)
        if part.share < 1:
            inside = sa.and_(inside, PREDICTIONS.c.draw < part.share * DRAWS)
        with self._engine.connect() as connection:
            by_id, by_key = _kinds_of_reference(connection)
            joined, outcome = with_outcomes(by_id, by_key)
            lines = sa.select(_line(outcome)).select_from(joined).where(inside)
            found = connection.execution_options(yield_per=_ROWS).execute(lines).scalars()
            with ThreadPoolExecutor(1) as aside:  # Arrow parses one piece while the next is fetched
                pieces = list(aside.map(lambda some: _parse("\n".join(some), schema, contract), found.partitions()))
        return _normalise(pa.concat_tables(pieces) if pieces else schema.empty_table(), contract, classes)


def _inside(model: str, window: Window) -> sa.ColumnElement[bool]:
    table = PREDICTIONS.c
    return sa.and_(table.model == model, table.event_time >= window.since, table.event_time < window.until)


def _kinds_of_reference(connection: sa.Connection) -> tuple[bool, bool]:
    """Whether there are outcomes by id, and by key: a join that can find nothing costs as much as others."""
    exists = [sa.exists().where(OUTCOMES.c.reference.startswith(kind)) for kind in ("id:", "key:")]
    found = connection.execute(sa.select(*exists)).one()
    return bool(found[0]), bool(found[1])


def _line(outcome: sa.ColumnElement[str | None]) -> sa.ColumnElement[str]:
    """A prediction as JSON; the outcome, which may be of any type, as a text with JSON in it."""
    table, text = PREDICTIONS.c, sa.Text
    quoted = sa.func.replace(sa.func.replace(outcome, "\\", "\\\\"), '"', '\\"')
    parts: list[Any] = ['{"input":', table.input, ',"numbers":', table.numbers, ',"prediction":']
    parts += [table.prediction, ',"reasons":', table.reasons, ',"source":"', table.source]
    parts += ['","event_time":"', sa.cast(table.event_time, text), '","latency_ms":']
    parts += [sa.cast(table.latency_ms, text), sa.func.coalesce(',"outcome":"' + quoted + '"', ""), "}"]
    return functools.reduce(operator.add, (sa.literal(part, text) if isinstance(part, str) else part for part in parts))


def _schema(contract: Contract, classes: list[str] | None) -> pa.Schema:
    numbers = [] if classes is None else [(name, pa.float64()) for name in score_columns(classes)]
    return pa.schema(
        [
            ("input", pa.struct([(name, _TYPES[column.type]) for name, column in contract.columns.items()])),
            ("prediction", pa.float64()) if classes is None else ("numbers", pa.struct(numbers)),
            ("reasons", pa.list_(pa.string())),
            ("source", pa.string()),
            ("event_time", pa.timestamp("us")),
            ("latency_ms", pa.float64()),
            ("outcome", pa.string()),
        ]
    )


def _parse(text: str, schema: pa.Schema, contract: Contract) -> pa.Table:
    data = text.encode()
    try:
        return pj.read_json(
            pa.BufferReader(data),
            read_options=pj.ReadOptions(block_size=max(len(data), 1)),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:  # somebody has sent a value of a wrong type
        return _parse_slowly(data, schema, contract)


def _parse_slowly(data: bytes, schema: pa.Schema, contract: Contract) -> pa.Table:
    """One row after the other; a value of a wrong type counts as missing, which is how the model takes it."""
    lines = [json.loads(line) for line in data.split(b"\n")]
    asked = [line.pop("input") for line in lines]
    for line in lines:
        line["event_time"] = datetime.fromisoformat(line["event_time"])
    given = {name: np.empty(len(lines), dtype=object) for name in contract.columns}
    for name, values in given.items():
        values[:] = [row.get(name) for row in asked]
    clean = check_rows(contract, given, RowReasons(len(lines), {}))
    fields = list(schema.field("input").type)
    for name in contract.of_type("datetime"):
        clean[name] = np.datetime_as_string(clean[name]).astype(object)  # "NaT" is read as missing
    arrays = [pa.array(clean[field.name], field.type) for field in fields]
    rows = pa.Table.from_pylist(lines, schema.remove(schema.get_field_index("input")))
    whole = rows.append_column("input", pa.StructArray.from_arrays(arrays, fields=fields))
    return whole.select(schema.names)


def _normalise(rows: pa.Table, contract: Contract, classes: list[str] | None) -> pa.Table:
    outcome = parse_outcomes(as_text(rows["outcome"]), json.loads, classes)
    plain = rows.set_column(rows.schema.get_field_index("outcome"), OUTCOME, outcome).flatten()
    for name in contract.of_type("datetime"):
        place = plain.schema.get_field_index(INPUT + name)
        plain = plain.set_column(place, INPUT + name, _datetimes(plain[INPUT + name]))
    return plain.rename_columns([name.removeprefix("numbers.") for name in plain.column_names])


def _datetimes(texts: pa.ChunkedArray) -> pa.Array:
    encoded = as_text(texts).dictionary_encode()
    moments = np.array([parse_datetime(text) for text in encoded.dictionary.to_pylist()], "datetime64[us]")
    return pa.array(moments, pa.timestamp("us")).take(encoded.indices)


class LoggedRowsDataset(ReadOnlyDataset[LoggedRows]):
    """The prediction log, for monitoring.

    Args:
        url: of the database; None where the log is off.
        metadata: anything; Kedro ignores it.
    """

    read_only = "the prediction log is written by `kedro serve`"

    def __init__(self, url: str | None, metadata: dict[str, Any] | None = None) -> None:
        self._url = url
        self.metadata = metadata

    def load(self) -> LoggedRows:
        """Open the log."""
        return LoggedRows(open_log(self._url))

    def _describe(self) -> dict[str, Any]:
        return {"url": shown(self._url)}
