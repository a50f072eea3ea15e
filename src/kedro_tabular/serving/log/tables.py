"""The tables of the prediction log, and the databases that it supports."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from kedro.io import DatasetError
from sqlalchemy.dialects import postgresql, sqlite

DRAWS = 1_000_000
METADATA = sa.MetaData()
PREDICTIONS = sa.Table(
    "predictions",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("time", sa.DateTime, nullable=False, index=True),  # of the prediction, UTC
    sa.Column("event_time", sa.DateTime, nullable=False),  # that the row is about: see records.py
    sa.Column("draw", sa.Integer, nullable=False),  # random, below DRAWS, for random samples
    sa.Column("model", sa.String(255), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("key", sa.Text, index=True),  # identifies the row, for outcomes without the id
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("prediction", sa.Text, nullable=False),
    sa.Column("numbers", sa.Text, nullable=False),  # probability_<class>, or lower and upper
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("latency_ms", sa.Float, nullable=False),
    # to count and sample the rows of a window from the index alone
    sa.Index("predictions_by_window", "model", "version", "event_time", "draw", "time"),
)
OUTCOMES = sa.Table(
    "outcomes",
    METADATA,
    sa.Column("reference", sa.Text, primary_key=True),  # `id:…` or `key:…`
    sa.Column("time", sa.DateTime, nullable=False),  # UTC
    sa.Column("outcome", sa.Text, nullable=False),
)
ERRORS = sa.Table(
    "errors",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("time", sa.DateTime, nullable=False, index=True),  # UTC, when they were counted
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
)
REFERENCED = {"id:": PREDICTIONS.c.id, "key:": PREDICTIONS.c.key}  # by the prefix of a reference
INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def join_outcomes(prefixes: Iterable[str] = REFERENCED) -> tuple[sa.FromClause, sa.Label[Any]]:
    """The predictions joined with their outcomes by references of these prefixes, and the column of the outcome."""
    joined: sa.FromClause = PREDICTIONS
    columns: list[sa.ColumnElement[str | None]] = []
    for prefix in prefixes:
        outcomes = OUTCOMES.alias()
        joined = joined.outerjoin(outcomes, outcomes.c.reference == prefix + REFERENCED[prefix])
        columns.append(outcomes.c.outcome)
    return joined, (sa.func.coalesce(*columns, sa.null()) if columns else sa.null()).label("outcome")


def connect(url: str) -> sa.Engine:
    """An engine for the database of a log. Raises DatasetError if that kind of database is not supported."""
    address = sa.make_url(url)
    backend = address.get_backend_name()
    if backend not in INSERTS:
        raise DatasetError(f"the prediction log does not support {backend}, only {', '.join(INSERTS)}")
    if backend != "sqlite":
        return sa.create_engine(address, pool_pre_ping=True)
    if address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(address, connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _set_pragmas(connection: Any, record: Any) -> None:
        # Readers don't block the writer. Commits survive the end of the process; only a power failure may lose the
        # last ones.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
