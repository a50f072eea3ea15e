"""The tables of the prediction log, the outcome of each prediction, and the databases that the log supports."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from kedro.io import DatasetError
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import Grouping

DRAWS = 1_000_000
MAX_KEY_BYTES = 1024  # of a key as JSON: PostgreSQL has room for 2,704 bytes in an index
ID, KEY = "id:", "key:"  # prefixes of references
_END = datetime.max
_LOCK_SECONDS = 30  # how long to wait for another process that writes to a SQLite file

METADATA = sa.MetaData()
PREDICTIONS = sa.Table(
    "predictions",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("time", sa.DateTime, nullable=False, index=True),  # of the prediction, UTC
    sa.Column("event_time", sa.DateTime, nullable=False),  # that the row is about, UTC: see records.py
    sa.Column("draw", sa.Integer, nullable=False),  # random, below DRAWS, for random samples
    sa.Column("model", sa.String(255), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("key", sa.Text),  # identifies the row, for outcomes without the id
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("prediction", sa.Text, nullable=False),
    sa.Column("numbers", sa.Text, nullable=False),  # probability_<class>, or lower and upper
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("latency_ms", sa.Float, nullable=False),
    sa.Column("record_id", sa.String(128)),  # the caller's own id of the row
    sa.Column("request_id", sa.String(128)),  # the caller's own id of the request
    sa.Column("api_key", sa.String(64)),  # its name
    # to count and sample the rows of a window from the index alone
    sa.Index("predictions_by_window", "model", "version", "event_time", "draw", "time"),
)
OUTCOMES = sa.Table(
    "outcomes",
    METADATA,
    sa.Column("model", sa.String(255)),
    sa.Column("reference", sa.Text),  # `id:…` or `key:…`
    sa.Column("time", sa.DateTime),  # of the outcome, or else when it was stored; UTC
    sa.Column("outcome", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("model", "reference", "time", name="outcomes_by_reference"),
)
ERRORS = sa.Table(
    "errors",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("time", sa.DateTime, nullable=False, index=True),  # UTC, when they were counted
    sa.Column("model", sa.String(255)),  # unknown in rows of earlier releases
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
)
INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def as_of(predictions: sa.FromClause) -> sa.ColumnElement[datetime]:
    """The time that puts the predictions of one key in order: of the event, or of the prediction if that is earlier."""
    table = predictions.c
    return sa.case((table.event_time < table.time, table.event_time), else_=table.time)


sa.Index(
    "predictions_by_key",
    PREDICTIONS.c.model,
    PREDICTIONS.c.key,
    Grouping(as_of(PREDICTIONS)),  # PostgreSQL wants an expression in parentheses
    PREDICTIONS.c.time,
)


class KeyPeriod(NamedTuple):
    """The outcomes of a prediction's key that belong to the prediction: from `start` up to but without each of `ends`.

    Predictions of one key follow each other in the order of `as_of`. Those with the same one are about the same event,
    and follow each other in the order in which they were made; the first of them also has what came before it was made.
    """

    start: sa.ColumnElement[datetime]
    ends: Sequence[sa.ColumnElement[datetime]]


def key_period() -> KeyPeriod:
    """The period of each prediction with a key."""
    own, other = PREDICTIONS.c, PREDICTIONS.alias("other")
    with_key = sa.select().where(other.c.model == own.model, other.c.key == own.key).correlate(PREDICTIONS)
    about_the_same = with_key.where(as_of(other) == as_of(PREDICTIONS))
    earlier = about_the_same.add_columns(other.c.id).where(other.c.time < own.time).exists()
    later = about_the_same.add_columns(sa.func.min(other.c.time)).where(other.c.time > own.time)
    following = with_key.add_columns(sa.func.min(as_of(other))).where(as_of(other) > as_of(PREDICTIONS))
    ends = [sa.func.coalesce(query.scalar_subquery(), sa.literal(_END, sa.DateTime)) for query in (later, following)]
    return KeyPeriod(sa.case((earlier, own.time), else_=as_of(PREDICTIONS)), ends)


def select_outcome(prefixes: Iterable[str] = (ID, KEY)) -> sa.ColumnElement[str | None]:
    """The outcome of a prediction: the latest that names its id, or else the latest that belongs to it by its key.

    An outcome that names a key belongs to one prediction: of those with that key, the last one before the outcome.
    Only references of these prefixes are looked for.
    """
    found: list[sa.ColumnElement[str | None]] = []
    for prefix in prefixes:
        outcomes = OUTCOMES.alias()
        column = PREDICTIONS.c.id if prefix == ID else PREDICTIONS.c.key
        query = sa.select(outcomes.c.outcome).where(
            outcomes.c.model == PREDICTIONS.c.model, outcomes.c.reference == sa.literal(prefix) + column
        )
        if prefix == KEY:
            period = key_period()
            query = query.where(outcomes.c.time >= period.start, *(outcomes.c.time < end for end in period.ends))
        latest = query.order_by(outcomes.c.time.desc()).limit(1)
        found.append(latest.correlate(PREDICTIONS).scalar_subquery())
    return sa.func.coalesce(*found, sa.null(), sa.null()).label("outcome")


def connect(url: str) -> sa.Engine:
    """An engine for the database of a log. Raises DatasetError if that kind of database is not supported.

    Its errors do not contain the values of rows.
    """
    address = sa.make_url(url)
    backend = address.get_backend_name()
    if backend not in INSERTS:
        raise DatasetError(f"the prediction log does not support {backend}, only {', '.join(INSERTS)}")
    if backend != "sqlite":
        return sa.create_engine(address, pool_pre_ping=True, hide_parameters=True)
    if address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(address, connect_args={"timeout": _LOCK_SECONDS}, hide_parameters=True)

    @sa.event.listens_for(engine, "connect")
    def _set_pragmas(connection: Any, record: Any) -> None:
        # Readers don't block the writer. Commits survive the end of the process; only a power failure may lose the
        # last ones.
        _use_write_ahead_log(connection)
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def _use_write_ahead_log(connection: Any) -> None:
    """SQLite does not wait for a lock here, so several processes that create the file would fail."""
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite.dialect.import_dbapi().OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
