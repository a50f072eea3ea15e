"""Creates the tables of a prediction log, or brings those of an earlier release up to date."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from kedro.io import DatasetError

from .tables import DRAWS, ERRORS, ID, KEY, METADATA, OUTCOMES, PREDICTIONS

logger = logging.getLogger(__name__)

_ADVISORY_LOCK = 7_262_034_118  # any number: that of this lock in PostgreSQL
_MAX_SECONDS = 600  # how long a process waits for another one that migrates
_RANDOM = {"sqlite": f"abs(random() % {DRAWS})", "postgresql": f"floor(random() * {DRAWS})"}
_ADDED = ("event_time", "draw", "record_id", "request_id", "api_key")  # columns that earlier releases lack
_EARLIER_OUTCOMES = "outcomes_of_earlier_release"


def prepare(engine: sa.Engine) -> None:
    """Create or migrate the tables in one transaction; several processes may do so at the same time.

    Raises:
        DatasetError: the database has a table `predictions` that is not of a prediction log.
    """
    with engine.connect() as connection:
        if _is_current(connection):
            return
    with _exclusive_transaction(engine) as connection:
        if not _is_current(connection):  # another process was first
            _migrate(connection)


def _is_current(connection: sa.Connection) -> bool:
    return not any(_missing_columns(connection, table) for table in METADATA.sorted_tables)


def _missing_columns(connection: sa.Connection, table: sa.Table) -> list[sa.Column[Any]]:
    inspector = sa.inspect(connection)
    known = inspector.get_columns(table.name) if inspector.has_table(table.name) else []
    names = {column["name"] for column in known}
    return [column for column in table.columns if column.name not in names]


@contextmanager
def _exclusive_transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that no other process has at the same time; its changes of tables are rolled back, too."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            yield connection
        return
    # Python's sqlite3 would begin the transaction after the first changes of tables.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_MAX_SECONDS * 1000}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")
    engine.dispose()  # the next connection has the usual timeout


def _migrate(connection: sa.Connection) -> None:
    tables = set(sa.inspect(connection).get_table_names())
    if PREDICTIONS.name not in tables:
        METADATA.create_all(connection)
        return
    logger.warning("the prediction log is of an earlier release: it is migrated now, which may take minutes")
    _add_columns(connection)
    earlier_outcomes = OUTCOMES.name in tables and _missing_columns(connection, OUTCOMES)
    if earlier_outcomes:
        connection.execute(sa.text(f"ALTER TABLE outcomes RENAME TO {_EARLIER_OUTCOMES}"))
    if ERRORS.name in tables and _missing_columns(connection, ERRORS):
        connection.execute(sa.text("ALTER TABLE errors ADD COLUMN model VARCHAR(255)"))
    METADATA.create_all(connection)
    if earlier_outcomes:
        _copy_outcomes(connection)
        connection.execute(sa.text(f"DROP TABLE {_EARLIER_OUTCOMES}"))
    connection.execute(sa.text("DROP INDEX IF EXISTS ix_predictions_key"))
    for index in PREDICTIONS.indexes:
        connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
    logger.warning("the prediction log is migrated")


def _add_columns(connection: sa.Connection) -> None:
    missing = _missing_columns(connection, PREDICTIONS)
    unknown = [column.name for column in missing if column.name not in _ADDED]
    if unknown:
        hint = "it is not of a prediction log. Name another database in serving.log.url of conf/"
        raise DatasetError(f"the table predictions has no columns {', '.join(unknown)}: {hint}")
    for column in missing:
        kind = column.type.compile(connection.dialect)
        connection.execute(sa.text(f"ALTER TABLE predictions ADD COLUMN {column.name} {kind}"))
    values = {"event_time": "time", "draw": _RANDOM[connection.dialect.name]}
    added = [f"{name} = {values[name]}" for name in values if name in {column.name for column in missing}]
    if added:
        connection.execute(sa.text(f"UPDATE predictions SET {', '.join(added)}"))


def _copy_outcomes(connection: sa.Connection) -> None:
    """Outcomes of earlier releases have no model: that of their predictions, or else each model of the log."""
    named_rows = [
        f"JOIN predictions p ON substr(o.reference, 1, {len(prefix)}) = '{prefix}'"
        f" AND p.{column} = substr(o.reference, {len(prefix) + 1})"
        for prefix, column in ((ID, "id"), (KEY, "key"))
    ]
    all_models = (
        "CROSS JOIN (SELECT DISTINCT model FROM predictions) p"
        " WHERE NOT EXISTS (SELECT 1 FROM outcomes copied WHERE copied.reference = o.reference)"
    )
    for models in (*named_rows, all_models):
        query = f"SELECT DISTINCT p.model, o.reference, o.time, o.outcome FROM {_EARLIER_OUTCOMES} o {models}"
        connection.execute(sa.text(f"INSERT INTO outcomes (model, reference, time, outcome) {query}"))
