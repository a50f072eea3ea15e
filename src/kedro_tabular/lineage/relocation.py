"""Keep a SQLite store of MLflow consistent with the artifacts beside it when the project's folder moves.

MLflow writes absolute URIs of artifacts into its store, even if a relative one was configured. After a move they
point to nothing, after a copy to the artifacts of the original.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from .artifact_location import SQLITE

logger = logging.getLogger(__name__)

_URI_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def store_file(project: Path, tracking_uri: str) -> Path | None:
    """The file of a SQLite store; None for any other store."""
    return project / tracking_uri.removeprefix(SQLITE) if tracking_uri.startswith(SQLITE) else None


def with_absolute_paths(settings: dict[str, Any], project: Path) -> dict[str, Any]:
    """The settings of mlflow.yml with paths that do not depend on the working directory."""
    server, tracking = dict(settings["server"]), dict(settings["tracking"])
    for key in ("mlflow_tracking_uri", "mlflow_registry_uri"):
        if server.get(key):
            store = store_file(project, server[key])
            server[key] = f"{SQLITE}{store}" if store else _absolute(server[key], project)
    experiment = dict(tracking.get("experiment") or {})
    arguments = dict(experiment.get("create_experiment_kwargs") or {})
    if arguments.get("artifact_location"):
        arguments["artifact_location"] = _absolute(arguments["artifact_location"], project)
    experiment["create_experiment_kwargs"] = arguments
    return settings | {"server": server, "tracking": tracking | {"experiment": experiment}}


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


def _absolute(uri: str, project: Path) -> str:
    """A relative path as a URI; any other URI unchanged."""
    return uri if "://" in uri or uri.startswith("databricks") else (project / uri).as_uri()


def _replace_prefix(connection: sqlite3.Connection, old: str, new: str) -> None:
    for table, column in _URI_COLUMNS:
        connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR {column} LIKE ?",
            (new, len(old) + 1, old, f"{old}/%"),
        )
