"""The tables of the prediction log, and the databases that they can be in."""

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
    sa.Column("time", sa.DateTime, nullable=False, index=True),  # of the answer, UTC
    sa.Column("event_time", sa.DateTime, nullable=False),  # that the row is about: see entries.py
    sa.Column("draw", sa.Integer, nullable=False),  # random, below DRAWS: some of the rows are taken by it
    sa.Column("model", sa.String(255), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("key", sa.Text, index=True),  # tells the case apart, for outcomes that come without an id
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("prediction", sa.Text, nullable=False),
    sa.Column("numbers", sa.Text, nullable=False),  # probability_<class>, or lower and upper
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("latency_ms", sa.Float, nullable=False),
    # what a window is counted and drawn by, without a look at its rows
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
INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def with_outcomes(by_id: bool, by_key: bool) -> tuple[sa.FromClause, sa.Label[Any]]:
    """The predictions joined with their outcomes, and the outcome, by the given kinds of reference."""
    joined: sa.FromClause = PREDICTIONS
    found: list[sa.ColumnElement[str | None]] = []
    for kind, column, wanted in (("id:", PREDICTIONS.c.id, by_id), ("key:", PREDICTIONS.c.key, by_key)):
        if wanted:
            outcomes = OUTCOMES.alias()
            joined = joined.outerjoin(outcomes, outcomes.c.reference == kind + column)
            found.append(outcomes.c.outcome)
    return joined, (sa.func.coalesce(*found, sa.null()) if found else sa.null()).label("outcome")


def connect(url: str) -> sa.Engine:
    """An engine for the database of a log. Raises DatasetError for a kind of database that is not known."""
    address = sa.make_url(url)
    if address.get_backend_name() not in INSERTS:
        raise DatasetError(f"the prediction log can't be in {address.get_backend_name()}: {', '.join(INSERTS)}")
    if address.get_backend_name() != "sqlite":
        return sa.create_engine(address, pool_pre_ping=True)
    if address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(address, connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: Any, record: Any) -> None:
        # Readers and a writer don't wait for each other. A commit outlives the end of the process; only with
        # the power may the last ones be lost.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
