"""What must hold in a project after a command was killed: read from its files and databases, without the library.

Only the champion is loaded with the library, as the service does it.
"""

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pyarrow.parquet as pq
import yaml
from kedro_tabular.registry import load_model
from mlflow.models import Model

LOG = "data/07_model_output/prediction_log.db"
SERVED = "data/06_models/served"
_META = "registered_model_meta"  # which MLflow writes into the folder when it downloads a version
_VERSION_TAGS = ("fingerprint", "gate", "gate.failed", "gate.champion", "git.commit", "data.model", "env.lock")


class Answer(NamedTuple):
    """A row of a response with status 200, and what was sent."""

    prediction: Any
    version: str
    sent: Mapping[str, Any]


class Registry(NamedTuple):
    """The registry of a project with one model."""

    aliases: dict[str, str]
    tags: dict[str, dict[str, str]]  # by version
    folders: dict[str, Path]  # by version
    is_locked: bool

    @property
    def champion(self) -> str | None:
        """Its number."""
        return self.aliases.get("champion")


def query(database: Path, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a query. The connection can write, as SQLite first rolls back what a killed process has left."""
    with closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True, timeout=60)) as connection:
        return connection.execute(statement).fetchall()


def read_registry(project: Path) -> Registry:
    """The registry, read from its database."""
    database = project / "mlflow.db"
    tags: dict[str, dict[str, str]] = {}
    for version, key, value in query(database, "SELECT version, key, value FROM model_version_tags"):
        tags.setdefault(str(version), {})[key] = value
    tags = {version: json.loads(found.get("lineage", "{}")) | found for version, found in tags.items()}
    folders = query(database, "SELECT version, storage_location FROM model_versions")
    aliases = query(database, "SELECT alias, version FROM registered_model_aliases")
    return Registry(
        {alias: str(version) for alias, version in aliases},
        tags,
        {str(version): Path(unquote(urlsplit(location).path)) for version, location in folders},
        bool(query(database, "SELECT key FROM registered_model_tags WHERE key LIKE 'lock.%'")),
    )


def content(folder: Path) -> dict[str, str]:
    """The md5 of each file of a version, by its path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {
        path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
        for path in files
        if path.name not in (_META, "version.json")
    }


class Versions:
    """Checks versions, and remembers what they were made of."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, str], dict[str, str]] = {}
        self._servable: set[tuple[Path, str]] = set()

    def check(self, registry: Registry) -> Iterator[str]:
        """What is wrong with the versions and with the champion."""
        for version, folder in registry.folders.items():
            missing = [tag for tag in _VERSION_TAGS if tag not in registry.tags.get(version, {})]
            if missing:
                yield f"version {version} has no tags {missing}"
            found = content(folder)
            if found != self._known.setdefault((folder, version), found):
                yield f"the files of version {version} have changed"
            if not (folder / "MLmodel").is_file():
                yield f"version {version} has no MLmodel"
                continue
            flavor = Model.load(str(folder)).flavors["python_function"]
            lost = [file["path"] for file in flavor["artifacts"].values() if not (folder / file["path"]).is_file()]
            if lost:
                yield f"version {version} has no {lost}"
        champion = registry.champion
        if champion not in registry.folders:
            yield f"the champion, version {champion}, does not exist"
        elif (registry.folders[champion], champion) not in self._servable:
            yield from self._predict(registry.folders[champion])
            self._servable.add((registry.folders[champion], champion))

    def _predict(self, folder: Path) -> Iterator[str]:
        try:
            example: Any = Model.load(str(folder)).load_input_example(str(folder))
            if not load_model(folder).predict(example)["source"].eq("model").all():
                yield "the champion predicts its example by the fallback"
        except Exception as error:
            yield f"the champion can't be served: {error!r}"

    def check_copies(self, project: Path, registry: Registry) -> Iterator[str]:
        """What is wrong with the local copies of the service that a restart would take for complete."""
        for identity in project.glob(f"{SERVED}/*/*/*/version.json"):
            version = identity.parent.name
            if version.startswith("."):
                continue
            if content(identity.parent) != content(registry.folders[version]):
                yield f"the local copy of version {version} is not complete"


def _check_skops(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise ValueError("a damaged archive")


def _check_html(path: Path) -> None:
    if not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        raise ValueError("it has no end")


_READERS: dict[str, Callable[[Path], Any]] = {
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    ".parquet": pq.read_table,
    ".svg": ElementTree.parse,
    ".html": _check_html,
    ".skops": _check_skops,
    ".yml": lambda path: yaml.safe_load(path.read_text(encoding="utf-8")),
}


def check_files(project: Path) -> Iterator[str]:
    """Files below data/ and conf/ that are there and can't be read, and databases that are damaged."""
    for path in [*project.glob("data/**/*"), *project.glob("conf/**/*"), project / "dvc.yaml"]:
        reader = _READERS.get(path.suffix)
        if reader is None or not path.is_file() or any(part.startswith(".partial") for part in path.parts):
            continue
        try:
            reader(path)
        except Exception as error:
            yield f"{path.relative_to(project)} is not whole ({path.stat().st_size} bytes): {error!r}"
    for database in (project / "mlflow.db", project / LOG):
        if query(database, "PRAGMA quick_check") != [("ok",)]:
            yield f"{database.name} is damaged"


def check_answers(project: Path, answers: Mapping[str, Answer]) -> Iterator[str]:
    """Rows that were answered, and are not in the log as they were answered."""
    rows = query(project / LOG, "SELECT id, prediction, version, input FROM predictions")
    logged = {name: (json.loads(prediction), version, json.loads(row)) for name, prediction, version, row in rows}
    for name, answer in answers.items():
        if name not in logged:
            yield f"row {name} was answered and is not in the log"
            continue
        prediction, version, row = logged[name]
        differing = [column for column in row if column in answer.sent and row[column] != answer.sent[column]]
        if (prediction, version) != (answer.prediction, answer.version) or differing:
            yield f"row {name} is not in the log as it was answered: {logged[name]}, {answer}"


def check_outcomes(project: Path) -> Iterator[str]:
    """Outcomes whose prediction was deleted without them."""
    lost = "SELECT count(*) FROM outcomes WHERE substr(reference, 4) NOT IN (SELECT id FROM predictions)"
    ((n_lost,),) = query(project / LOG, f"{lost} AND reference LIKE 'id:%'")
    if n_lost:
        yield f"{n_lost} outcomes have lost their predictions"
