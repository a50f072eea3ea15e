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
from .records import equivalent_references
from .tables import ERRORS, INSERTS, METADATA, OUTCOMES, PREDICTIONS, REFERENCED, connect, join_outcomes

Loaded = TypeVar("Loaded")
_MAX_PARAMETERS = 1000  # of a statement


class PredictionLog:
    """A prediction log, open for writing and reading, in the database of an SQLAlchemy URL; it creates its tables.

    Raises:
        DatasetError: the database is not available, or not a prediction log.
    """

    def __init__(self, url: str) -> None:
        try:
            self.engine = connect(url)
            METADATA.create_all(self.engine)
            columns = {column["name"] for column in sa.inspect(self.engine).get_columns(PREDICTIONS.name)}
        except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
            raise DatasetError(f"the prediction log is not available: {error}") from error
        missing = [column.name for column in PREDICTIONS.columns if column.name not in columns]
        if missing:
            hint = "an earlier release wrote it. Move it away, or name another one in serving.log.url of conf/"
            raise DatasetError(f"the prediction log has no columns {', '.join(missing)}: {hint}")

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store predictions, all or none. Each is a dict of the columns of `PREDICTIONS`."""
        with self.engine.begin() as connection:
            connection.execute(PREDICTIONS.insert(), rows)

    def add_outcomes(self, outcomes: Iterable[dict[str, Any]]) -> int:
        """Store outcomes, all or none, replacing those with the same reference; return how many have no prediction yet.

        An outcome is stored under those of its equivalent references that have a prediction; under all of them as long
        as none has, because the type of the key is not known then. Each is a dict of the columns of `OUTCOMES`.
        """
        latest = {outcome["reference"]: outcome for outcome in outcomes}
        references = {reference: equivalent_references(reference) for reference in latest}
        rows: dict[str, dict[str, Any]] = {}
        unmatched = 0
        with self.engine.begin() as connection:
            known = _known_references(connection, [form for forms in references.values() for form in forms])
            for reference, outcome in latest.items():
                matched = known.intersection(references[reference])
                unmatched += not matched
                rows |= {form: outcome | {"reference": form} for form in matched or references[reference]}
            if rows:
                insert = INSERTS[self.engine.dialect.name](OUTCOMES)
                replaced = {name: insert.excluded[name] for name in ("time", "outcome")}
                upsert = insert.on_conflict_do_update(index_elements=["reference"], set_=replaced)
                connection.execute(upsert, list(rows.values()))
        return unmatched

    def add_errors(self, requests: Mapping[str, int], time: datetime) -> None:
        """Store how many requests failed since the last call, by code."""
        if requests:
            rows = [{"time": time, "code": code, "requests": n} for code, n in requests.items()]
            with self.engine.begin() as connection:
                connection.execute(ERRORS.insert(), rows)

    def read(self, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
        """Predictions in the order of time, from `since` up to but without `until` (UTC), with their outcomes.

        The JSON texts of the log are parsed: columns of the rows are named `input.<column>`.
        """
        joined, outcome = join_outcomes()
        query = sa.select(PREDICTIONS, outcome).select_from(joined).order_by(PREDICTIONS.c.id)
        if since is not None:
            query = query.where(PREDICTIONS.c.time >= since)
        if until is not None:
            query = query.where(PREDICTIONS.c.time < until)
        with self.engine.connect() as connection:
            return _expand_json(pd.read_sql(query, connection))

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()


def _known_references(connection: sa.Connection, references: list[str]) -> set[str]:
    """Those of the references that have a prediction."""
    known = set()
    for prefix, column in REFERENCED.items():
        values = [text.removeprefix(prefix) for text in references if text.startswith(prefix)]
        for first in range(0, len(values), _MAX_PARAMETERS):
            query = sa.select(column).where(column.in_(values[first : first + _MAX_PARAMETERS]))
            known |= {prefix + value for value in connection.execute(query).scalars()}
    return known


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
