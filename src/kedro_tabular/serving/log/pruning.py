"""Deletes old predictions together with their outcomes, in small transactions beside a running service."""

import time
from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from .prediction_log import PredictionLog
from .tables import ERRORS, ID, KEY, OUTCOMES, PREDICTIONS, as_of, key_period

_BATCH_ROWS = 500  # of a transaction


def prune(log: PredictionLog, model: str, before: datetime) -> Iterator[int]:
    """Delete the predictions of a model that were made before a time (UTC), and yield their number after each batch.

    Outcomes are deleted in the same transaction as their prediction; those of predictions that stay are kept, however
    old they are. At the end, errors and outcomes that belong to no prediction are deleted if they are older. After each
    batch there is a pause as long as it took, so that the service can write.
    """
    while True:
        started = time.perf_counter()
        with log.engine.begin() as connection:
            deleted = _delete_batch(connection, model, before)
        if not deleted:
            break
        yield deleted
        time.sleep(time.perf_counter() - started)
    with log.engine.begin() as connection:
        connection.execute(ERRORS.delete().where(ERRORS.c.model == model, ERRORS.c.time < before))
        connection.execute(_delete_unmatched(model, before))


def _delete_batch(connection: sa.Connection, model: str, before: datetime) -> int:
    period, table = key_period(), PREDICTIONS.c
    query = sa.select(table.id, table.key, period.start, *period.ends).where(table.model == model, table.time < before)
    rows = connection.execute(query.order_by(table.time).limit(_BATCH_ROWS)).all()
    if rows:
        ids = [row[0] for row in rows]
        connection.execute(
            OUTCOMES.delete().where(OUTCOMES.c.model == model, OUTCOMES.c.reference.in_([ID + name for name in ids]))
        )
        owned = [{"named": KEY + key, "start": start, "end": min(ends)} for _, key, start, *ends in rows if key]
        if owned:
            of_key = sa.and_(OUTCOMES.c.model == model, OUTCOMES.c.reference == sa.bindparam("named"))
            in_period = sa.and_(OUTCOMES.c.time >= sa.bindparam("start"), OUTCOMES.c.time < sa.bindparam("end"))
            connection.execute(OUTCOMES.delete().where(of_key, in_period), owned)
        connection.execute(PREDICTIONS.delete().where(table.id.in_(ids)))
    return len(rows)


def _delete_unmatched(model: str, before: datetime) -> sa.Delete:
    own = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.model == model)
    by_id = own.where(PREDICTIONS.c.id == sa.func.substr(OUTCOMES.c.reference, len(ID) + 1))
    by_key = own.where(
        PREDICTIONS.c.key == sa.func.substr(OUTCOMES.c.reference, len(KEY) + 1), as_of(PREDICTIONS) <= OUTCOMES.c.time
    )
    matched = sa.case(
        (OUTCOMES.c.reference.startswith(KEY), by_key.correlate(OUTCOMES).exists()),
        else_=by_id.correlate(OUTCOMES).exists(),
    )
    return OUTCOMES.delete().where(OUTCOMES.c.model == model, OUTCOMES.c.time < before, sa.not_(matched))
