"""Keep a SQLite store of MLflow and the artifacts beside it together when the project's folder moves.

MLflow writes absolute addresses of artifacts into its store, even where a relative one was asked for. After a
move they would lead to nothing, after a copy into the other copy.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

logger = logging.getLogger(__name__)

_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def store_file(project: Path, tracking_uri: str) -> Path | None:
    """The file of a SQLite store; None for any other store."""
    prefix = "sqlite:///"
    return project / tracking_uri.removeprefix(prefix) if tracking_uri.startswith(prefix) else None


def follow_artifacts(project: Path, tracking_uri: str, artifact_location: str | None) -> None:
    """Lead the store's addresses to the project's own artifacts, if it has them and the store says otherwise.

    Args:
        project: the project's folder.
        tracking_uri: where runs are recorded; only a SQLite file in the project is ever changed.
        artifact_location: the folder of artifacts in the project; an address elsewhere needs no care.
    """
    store = store_file(project, tracking_uri)
    if store is None or not store.is_file() or not store.resolve().is_relative_to(project.resolve()):
        return
    if not artifact_location or "://" in artifact_location or not (project / artifact_location).is_dir():
        return
    here = (project / artifact_location).resolve().as_uri()
    with closing(sqlite3.connect(store)) as connection, connection:
        found = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        for (there,) in found:
            if there != here and there.startswith("file:") and there.endswith(f"/{artifact_location}"):
                _move(connection, there, here)
                logger.warning("the project was moved: %s now leads to %s, not to %s", store.name, here, there)


def _move(connection: sqlite3.Connection, there: str, here: str) -> None:
    for table, column in _ADDRESSES:
        connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR {column} LIKE ?",
            (here, len(there) + 1, there, f"{there}/%"),
        )
