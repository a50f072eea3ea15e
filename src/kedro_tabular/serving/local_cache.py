"""Local copies of the versions that are served, for a start without the registry."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from filelock import FileLock
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion

from .. import lineage
from ..files import write_atomically

_IDENTITY = "version.json"


class DeploymentError(RuntimeError):
    """A version that can't be served; the message says why and what to do."""


@dataclass(frozen=True)
class VersionIdentity:
    """What a version is, told by `/version`; `data` are the md5 of the files it was made from, by dataset."""

    model: str
    version: str
    run_id: str
    commit: str
    data: dict[str, str]


def identify(version: ModelVersion) -> VersionIdentity:
    """What a version of the registry is."""
    tags: dict[str, Any] = version.tags
    return VersionIdentity(
        model=str(version.name),
        version=str(version.version),
        run_id=str(version.run_id),
        commit=tags.get(f"{lineage.GIT}commit", "unknown"),
        data={n.removeprefix(lineage.DATA): v for n, v in tags.items() if n.startswith(lineage.DATA)},
    )


def read_identity(folder: Path) -> VersionIdentity | None:
    """What a copy is of; None for one that is not complete."""
    path = folder / _IDENTITY
    return VersionIdentity(**json.loads(path.read_text())) if path.is_file() else None


class LocalCache:
    """Copies of the versions that one alias had, each a folder named by the version's number.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / ".lock")  # several processes of the service share the folder

    def fetch(self, version: ModelVersion) -> Path:
        """The copy of a version, made if there is none."""
        identity, folder = identify(version), self._folder / str(version.version)
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if read_identity(folder) != identity:
                self._download(version, identity, folder)
        return folder

    def _download(self, version: ModelVersion, identity: VersionIdentity, folder: Path) -> None:
        partial = Path(mkdtemp(dir=self._folder, prefix=".partial-"))
        try:
            download_artifacts(f"models:/{version.name}/{version.version}", dst_path=str(partial))
            (partial / _IDENTITY).write_text(json.dumps(asdict(identity)))
            shutil.rmtree(folder, ignore_errors=True)  # the copy of a version of another store
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def drop(self, version: str) -> None:
        """Remove the copy of a version."""
        with self._lock:
            shutil.rmtree(self._folder / version, ignore_errors=True)

    def any_good(self) -> bool:
        """Whether a copy was ever kept."""
        return (self._folder / _IDENTITY).is_file()

    def last_good(self) -> Path:
        """The copy that was kept last. Raises DeploymentError if there is none."""
        if not self.any_good():
            raise DeploymentError(
                "the registry can't be reached, and there is no local copy of a version served before"
            )
        return self._folder / str(json.loads((self._folder / _IDENTITY).read_text())["version"])

    def keep(self, identity: VersionIdentity) -> None:
        """Note which copy is the last good one, and drop all but it and the newest other."""
        with self._lock:
            write_atomically(self._folder / _IDENTITY, json.dumps(asdict(identity)))
            copies = [path for path in self._folder.iterdir() if path.is_dir()]
            others = [path for path in copies if path.name != identity.version]
            for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-1]:
                shutil.rmtree(path, ignore_errors=True)
