"""Keep a SQLite store of MLflow consistent with the artifacts beside it when the project's folder moves.

MLflow writes absolute URIs of artifacts into its store, even if a relative one was configured. After a move they
point to nothing, after a copy to the artifacts of the original.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

logger = logging.getLogger(__name__)

_URI_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def store_file(project: Path, tracking_uri: str) -> Path | None:
    """The file of a SQLite store; None for any other store."""
    prefix = "sqlite:///"
    return project / tracking_uri.removeprefix(prefix) if tracking_uri.startswith(prefix) else None


def relocate_artifacts(project: Path, tracking_uri: str, artifact_location: str | None) -> None:
    """Point the URIs in the store to the project's own artifacts, if it has any and the URIs point elsewhere.

    Args:
        project: the project's folder.
        tracking_uri: where runs are recorded; only a SQLite file in the project is ever changed.
        artifact_location: the folder of artifacts in the project; other locations need no change.
    """
    store = store_file(project, tracking_uri)
    if store is None or not store.is_file() or not store.resolve().is_relative_to(project.resolve()):
        return
    if not artifact_location or "://" in artifact_location or not (project / artifact_location).is_dir():
        return
    new = (project / artifact_location).resolve().as_uri()
    with closing(sqlite3.connect(store)) as connection, connection:
        for (old,) in connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall():
            if old != new and old.startswith("file:") and old.endswith(f"/{artifact_location}"):
                _replace_prefix(connection, old, new)
                logger.warning("the project was moved: %s now points to %s instead of %s", store.name, new, old)


def _replace_prefix(connection: sqlite3.Connection, old: str, new: str) -> None:
    for table, column in _URI_COLUMNS:
        connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR {column} LIKE ?",
            (new, len(old) + 1, old, f"{old}/%"),
        )
