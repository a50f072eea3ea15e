"""The prediction log: what was asked, what was answered and by which version, and what came of it.

In any database that SQLAlchemy knows; tried with SQLite and PostgreSQL. A row is one prediction. Values that
depend on the contract are JSON text, so that a log outlives many contracts.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from kedro.io import DatasetError

from ...datasets import ReadOnlyDataset
from .tables import ERRORS, INSERTS, METADATA, OUTCOMES, PREDICTIONS, connect, with_outcomes

_AT_ONCE = 500  # parameters of a statement are limited


class PredictionLog:
    """A prediction log that is open for writing and reading.

    Args:
        url: of the database, as SQLAlchemy takes it. The tables are made where there are none.

    Raises:
        DatasetError: it can't be opened.
    """

    def __init__(self, url: str) -> None:
        try:
            self.engine = connect(url)
            METADATA.create_all(self.engine)
            found = {column["name"] for column in sa.inspect(self.engine).get_columns(PREDICTIONS.name)}
        except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
            raise DatasetError(f"the prediction log can't be opened: {error}") from error
        absent = [column.name for column in PREDICTIONS.columns if column.name not in found]
        if absent:
            raise DatasetError(
                f"the prediction log lacks the columns {', '.join(absent)}: it was written by earlier code. "
                "Move it away, or name another in serving.log.url of conf/"
            )

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store predictions, all or none. Each is a dict of the columns of `PREDICTIONS`."""
        with self.engine.begin() as connection:
            connection.execute(PREDICTIONS.insert(), rows)

    def add_outcomes(self, outcomes: Iterable[dict[str, Any]]) -> int:
        """Store outcomes, all or none; one that is known already is replaced.

        Args:
            outcomes: dicts of the columns of `OUTCOMES`.

        Returns:
            How many of them have no prediction yet.
        """
        latest = list({outcome["reference"]: outcome for outcome in outcomes}.values())
        missing = 0
        with self.engine.begin() as connection:
            for first in range(0, len(latest), _AT_ONCE):
                part = latest[first : first + _AT_ONCE]
                insert = INSERTS[self.engine.dialect.name](OUTCOMES).values(part)
                replaced = {name: insert.excluded[name] for name in ("time", "outcome")}
                connection.execute(insert.on_conflict_do_update(index_elements=["reference"], set_=replaced))
                missing += len(part) - self._count_known(connection, [row["reference"] for row in part])
        return missing

    def add_errors(self, requests: Mapping[str, int], time: datetime) -> None:
        """Store how many requests were refused or failed since the last time, by code."""
        if requests:
            rows = [{"time": time, "code": code, "requests": n} for code, n in requests.items()]
            with self.engine.begin() as connection:
                connection.execute(ERRORS.insert(), rows)

    def _count_known(self, connection: sa.Connection, references: list[str]) -> int:
        known = 0
        for kind, column in (("id:", PREDICTIONS.c.id), ("key:", PREDICTIONS.c.key)):
            values = [text.removeprefix(kind) for text in references if text.startswith(kind)]
            if values:
                query = sa.select(sa.func.count(sa.distinct(column))).where(column.in_(values))
                known += connection.execute(query).scalar_one()
        return known

    def read(self, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
        """Predictions in the order of time, each with its outcome where there is one.

        Args:
            since: from this point in time (UTC), inclusive.
            until: to this one, exclusive.

        Returns:
            The columns of the log and `outcome`, those of the JSON texts taken apart: what was asked stands
            under `input.<column>`.
        """
        joined, outcome = with_outcomes(by_id=True, by_key=True)
        query = sa.select(PREDICTIONS, outcome).select_from(joined).order_by(PREDICTIONS.c.id)
        if since is not None:
            query = query.where(PREDICTIONS.c.time >= since)
        if until is not None:
            query = query.where(PREDICTIONS.c.time < until)
        with self.engine.connect() as connection:
            return _take_apart(pd.read_sql(query, connection))

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()


class PredictionLogDataset(ReadOnlyDataset[pd.DataFrame]):
    """The prediction log as a table: what `PredictionLog.read` gives.

    Args:
        url: of the database; None where the log is off.
        metadata: anything; Kedro ignores it.
    """

    read_only = "the prediction log is written by `kedro serve`"

    def __init__(self, url: str | None, metadata: dict[str, Any] | None = None) -> None:
        self._url = url
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """All predictions, with their outcomes."""
        log = open_log(self._url)
        try:
            return log.read()
        finally:
            log.close()

    def _describe(self) -> dict[str, Any]:
        return {"url": shown(self._url)}


def open_log(url: str | None) -> PredictionLog:
    """Open a log to read from it. Raises DatasetError where there is none."""
    if url is None:
        raise DatasetError("there is no prediction log: serving.log in conf/ is off")
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite" and address.database and not Path(address.database).exists():
        raise DatasetError(f"there is no prediction log at {address.database} yet: `kedro serve` writes it")
    return PredictionLog(url)


def shown(url: str | None) -> str | None:
    """The address without its password."""
    return url and sa.make_url(url).render_as_string(hide_password=True)


def _take_apart(rows: pd.DataFrame) -> pd.DataFrame:
    def parsed(name: str) -> list[Any]:
        return [None if text is None or text != text else json.loads(text) for text in rows[name]]

    inputs = pd.DataFrame(parsed("input"), index=rows.index).add_prefix("input.")
    numbers = pd.DataFrame(parsed("numbers"), index=rows.index)
    rows = rows.drop(columns=["input", "numbers"])
    return pd.concat(
        [
            rows.assign(
                prediction=pd.Series(parsed("prediction"), index=rows.index),
                reasons=pd.Series(parsed("reasons"), index=rows.index, dtype=object),
                outcome=pd.Series(parsed("outcome"), index=rows.index),
            ),
            numbers,
            inputs,
        ],
        axis=1,
    )
