"""What the prediction log has of all models, each time in one query."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from .prediction_log import PredictionLog
from .tables import ERRORS, OUTCOMES, PREDICTIONS

_DAY = 86_400  # seconds


def models_in(log: PredictionLog, names: Collection[str]) -> set[str]:
    """Those of some models of which the log has predictions, outcomes or errors.

    Errors that an earlier release has stored may be of any model.
    """
    parts = [_distinct_models(PREDICTIONS, "predicted"), _distinct_models(OUTCOMES, "known")]
    with log.engine.connect() as connection:
        found = set(connection.execute(sa.union(*parts, sa.select(ERRORS.c.model))).scalars())
    return set(names) if None in found else found & set(names)


def rows_a_day(log: PredictionLog, until: datetime, days: int) -> dict[str, list[int]]:
    """The rows of each model in days of 24 hours that end at a time (UTC), the first day first.

    The rows of a version in a span of time stand together in the index `predictions_by_window`.
    """
    table = PREDICTIONS.c
    since = until - timedelta(days=days)
    start = int(since.replace(tzinfo=UTC).timestamp())
    day = ((sa.cast(sa.extract("epoch", table.event_time), sa.BigInteger) - start) // _DAY).label("day")
    served = _served_versions()
    of_version = sa.and_(table.model == served.c.model, table.version == served.c.version)
    query = sa.select(table.model, day, sa.func.count()).select_from(served.join(PREDICTIONS, of_version))
    query = query.where(table.event_time >= since, table.event_time < until).group_by(table.model, day)
    counts: dict[str, list[int]] = {}
    with log.engine.connect() as connection:
        for model, number, n_rows in connection.execute(query):
            counts.setdefault(model, [0] * days)[min(number, days - 1)] += n_rows  # PostgreSQL rounds seconds
    return counts


def _distinct_models(table: sa.Table, name: str) -> sa.Select[tuple[str]]:
    """The models of a table with an index that starts with them: one look-up for each instead of a scan."""
    least = sa.func.min(table.c.model)
    models = sa.select(least.label("model")).cte(name, recursive=True)
    following = sa.select(least).where(table.c.model > models.c.model).scalar_subquery()
    models = models.union_all(sa.select(following).where(models.c.model.is_not(None)))
    return sa.select(models.c.model).where(models.c.model.is_not(None))


def _served_versions() -> sa.CTE:
    """The versions of each model with predictions, by one look-up in the index for each."""
    table, least = PREDICTIONS.c, sa.func.min(PREDICTIONS.c.version)
    models = _distinct_models(PREDICTIONS, "models").subquery()
    first = sa.select(least).where(table.model == models.c.model).scalar_subquery()
    served = sa.select(models.c.model, first.label("version")).cte("served", recursive=True)
    more = (table.model == served.c.model, table.version > served.c.version)
    following = sa.select(least).where(*more).scalar_subquery()
    return served.union_all(sa.select(served.c.model, following).where(served.c.version.is_not(None)))
