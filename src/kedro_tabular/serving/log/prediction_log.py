"""The prediction log: rows, their predictions, the version, and the outcomes, in a database.

SQLite and PostgreSQL are supported. A row is one prediction. Values that depend on the contract are JSON text, so that
a log outlives changes of the contract.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import sqlalchemy as sa
from kedro.io import DatasetError

from ...datasets import ReadOnlyDataset
from .database_errors import describe, is_row_error
from .migration import prepare
from .records import equivalent_references
from .tables import ERRORS, ID, INSERTS, KEY, OUTCOMES, PREDICTIONS, as_of, connect, select_outcome

Loaded = TypeVar("Loaded")
_MAX_PARAMETERS = 1000  # of a statement


class PredictionLog:
    """A prediction log, open for writing and reading, in the database of an SQLAlchemy URL.

    It creates its tables, and migrates those of an earlier release.

    Raises:
        DatasetError: the database is not available, or not a prediction log.
    """

    def __init__(self, url: str) -> None:
        try:
            self.engine = connect(url)
            prepare(self.engine)
        except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
            raise DatasetError(f"the prediction log is not available: {describe(error)}") from error

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store predictions, all or none. Each is a dict of the columns of `PREDICTIONS`."""
        if rows:
            with self.engine.begin() as connection:
                connection.execute(PREDICTIONS.insert(), rows)

    def append_requests(self, requests: Sequence[Sequence[dict[str, Any]]]) -> list[Exception | None]:
        """Store the predictions of several requests, those of one request all or none.

        If the database refuses a row, only its request is not stored.

        Returns:
            For each request why it is not stored; None if it is.
        """
        try:
            self.append([row for rows in requests for row in rows])
        except Exception as error:
            if len(requests) == 1 or not is_row_error(error):
                return [error] * len(requests)
            middle = len(requests) // 2
            return self.append_requests(requests[:middle]) + self.append_requests(requests[middle:])
        return [None] * len(requests)

    def add_outcomes(self, model: str, outcomes: Iterable[dict[str, Any]]) -> int:
        """Store outcomes of a model, all or none; return how many have no prediction yet.

        Each is a dict of the other columns of `OUTCOMES`, and replaces one of the same reference and time. It is stored
        under those of its equivalent references that have a prediction; under all of them as long as none has, because
        the type of the key is not known then.
        """
        given = {(outcome["reference"], outcome["time"]): outcome for outcome in outcomes}
        forms = {reference: equivalent_references(reference) for reference, _ in given}
        rows: dict[tuple[str, datetime], dict[str, Any]] = {}
        unmatched = 0
        with self.engine.begin() as connection:
            first_times = _first_times(connection, model, [form for names in forms.values() for form in names])
            for (reference, time), outcome in given.items():
                known = [form for form in forms[reference] if form in first_times]
                unmatched += not any(first_times[form] <= time for form in known)
                for form in known or forms[reference]:
                    rows[form, time] = outcome | {"model": model, "reference": form}
            if rows:
                insert = INSERTS[self.engine.dialect.name](OUTCOMES)
                keys = list(OUTCOMES.primary_key.columns)
                upsert = insert.on_conflict_do_update(index_elements=keys, set_={"outcome": insert.excluded.outcome})
                connection.execute(upsert, [rows[name] for name in sorted(rows)])  # in one order: no deadlocks
        return unmatched

    def add_errors(self, requests: Mapping[str, Mapping[str, int]], time: datetime) -> None:
        """Store how many requests failed since the last call, by model and code."""
        rows = [
            {"time": time, "model": model, "code": code, "requests": n}
            for model, by_code in requests.items()
            for code, n in by_code.items()
        ]
        if rows:
            with self.engine.begin() as connection:
                connection.execute(ERRORS.insert(), rows)

    def read(self, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
        """Predictions in the order of time, from `since` up to but without `until` (UTC), with their outcomes.

        The JSON texts of the log are parsed: columns of the rows are named `input.<column>`.
        """
        query = sa.select(PREDICTIONS, select_outcome()).order_by(PREDICTIONS.c.id)
        if since is not None:
            query = query.where(PREDICTIONS.c.time >= since)
        if until is not None:
            query = query.where(PREDICTIONS.c.time < until)
        with self.engine.connect() as connection:
            return _expand_json(pd.read_sql(query, connection))

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()


def _first_times(connection: sa.Connection, model: str, references: list[str]) -> dict[str, datetime]:
    """From when on the references have a prediction of the model; those that have none are left out."""
    times: dict[str, datetime] = {}
    for prefix, column, first in (
        (ID, PREDICTIONS.c.id, sa.literal(datetime.min, sa.DateTime)),  # an id names a prediction whenever it was made
        (KEY, PREDICTIONS.c.key, sa.func.min(as_of(PREDICTIONS))),
    ):
        values = [text.removeprefix(prefix) for text in references if text.startswith(prefix)]
        query = sa.select(column, first).where(PREDICTIONS.c.model == model).group_by(column)
        for start in range(0, len(values), _MAX_PARAMETERS):
            found = connection.execute(query.where(column.in_(values[start : start + _MAX_PARAMETERS])))
            times |= {prefix + value: time for value, time in found}
    return times


class LogDataset(ReadOnlyDataset[Loaded]):
    """Base of the datasets that read the prediction log at a URL, which is None if the log is off."""

    read_only = "the prediction log is written by `kedro serve`"

    def __init__(self, url: str | None, metadata: dict[str, Any] | None = None) -> None:
        self._url = url
        self.metadata = metadata

    def open_log(self) -> PredictionLog:
        """Open the log. Raises DatasetError if there is none."""
        if self._url is None:
            raise DatasetError("there is no prediction log: serving.log in conf/ is off")
        url = sa.make_url(self._url)
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
            raise DatasetError(f"there is no prediction log at {url.database} yet: `kedro serve` writes it")
        return PredictionLog(self._url)

    def _describe(self) -> dict[str, Any]:
        return {"url": self._url and sa.make_url(self._url).render_as_string(hide_password=True)}


class PredictionLogDataset(LogDataset[pd.DataFrame]):
    """The prediction log as a table, as `PredictionLog.read` returns it."""

    def load(self) -> pd.DataFrame:
        """All predictions with their outcomes."""
        with closing(self.open_log()) as log:
            return log.read()


def _expand_json(rows: pd.DataFrame) -> pd.DataFrame:
    def parse(name: str) -> list[Any]:
        return [None if text is None or text != text else json.loads(text) for text in rows[name]]

    values = {name: pd.Series(parse(name), index=rows.index) for name in ("prediction", "outcome")}
    values["reasons"] = pd.Series(parse("reasons"), index=rows.index, dtype=object)
    scores = pd.DataFrame(parse("numbers"), index=rows.index)
    inputs = pd.DataFrame(parse("input"), index=rows.index).add_prefix("input.")
    return pd.concat([rows.drop(columns=["input", "numbers"]).assign(**values), scores, inputs], axis=1)
