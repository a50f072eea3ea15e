"""Local cache of the served versions, so that the service starts without the registry."""

import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp

from filelock import FileLock
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion

from .. import lineage
from ..files import write_atomically
from ..outages import without_password

_PARTIAL = ".partial-"  # start of the names of folders that are being filled or removed
_IDENTITY_FILE = "version.json"  # in the folder of a version; and beside these folders, for the last good version


class DeploymentError(RuntimeError):
    """A version that can't be served; the message says why and what to do."""


@dataclass(frozen=True)
class VersionIdentity:
    """What `/version` returns; `data` are the md5 of the files that the version was trained from, by dataset."""

    model: str
    version: str
    run_id: str
    commit: str
    data: dict[str, str]
    model_id: str | None = None  # unique among all registries; versions of old servers have none


def identify(version: ModelVersion) -> VersionIdentity:
    """The identity of a registered version."""
    tags = lineage.expand_tags(version.tags)
    return VersionIdentity(
        model=str(version.name),
        version=str(version.version),
        run_id=str(version.run_id),
        commit=tags.get(f"{lineage.GIT}commit", "unknown"),
        data={n.removeprefix(lineage.DATA): v for n, v in tags.items() if n.startswith(lineage.DATA)},
        model_id=version.model_id,
    )


class LocalCache:
    """The versions of one alias of one registry, each in a folder named by its number."""

    def __init__(self, folder: Path, registry: str) -> None:
        self._folder = folder
        self._registry = without_password(registry)  # another password is not another registry
        self._lock = FileLock(folder / ".lock")  # several processes of the service share the folder

    def read_identity(self, folder: Path) -> VersionIdentity | None:
        """The identity of a cached version; None if the folder is not complete, or of another registry."""
        with suppress(OSError, ValueError, TypeError):  # missing, not JSON, or of another release
            cached = json.loads((folder / _IDENTITY_FILE).read_text(encoding="utf-8"))
            if cached.pop("registry", None) == self._registry:
                return VersionIdentity(**cached)
        return None

    def _serialize(self, identity: VersionIdentity) -> str:
        return json.dumps({"registry": self._registry, **asdict(identity)})

    def fetch(self, version: ModelVersion) -> Path:
        """The folder of a version, which is downloaded if it is not cached."""
        identity, folder = identify(version), self._folder / str(version.version)
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            for left in self._folder.glob(f"{_PARTIAL}*"):  # by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            if self.read_identity(folder) != identity:
                self._download(version, identity, folder)
        return folder

    def _download(self, version: ModelVersion, identity: VersionIdentity, folder: Path) -> None:
        partial = self._make_partial()
        try:
            download_artifacts(f"models:/{version.name}/{version.version}", dst_path=str(partial))
            (partial / _IDENTITY_FILE).write_text(self._serialize(identity), encoding="utf-8")
            self._remove(folder)  # a version of another store
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def evict(self, version: str) -> None:
        """Remove a version."""
        with self._lock:
            self._remove(self._folder / version)

    def last_good_version(self) -> Path | None:
        """The folder of the version that was served last, or else of the newest that was fetched; None without any."""
        identity = self.read_identity(self._folder)
        if identity is not None:
            return self._folder / identity.version
        fetched = [folder for folder in self._folder.glob("*") if self.read_identity(folder) is not None]
        return max(fetched, key=lambda folder: int(folder.name), default=None)

    def set_last_good_version(self, identity: VersionIdentity) -> None:
        """Record the version that is served now, and evict all but it and the newest other."""
        with self._lock:
            if self.read_identity(self._folder) != identity:  # a restart needs no room on the disk
                write_atomically(self._folder / _IDENTITY_FILE, self._serialize(identity))
            others = [path for path in self._folder.iterdir() if path.is_dir() and path.name != identity.version]
            for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-1]:
                self._remove(path)

    def _make_partial(self) -> Path:
        return Path(mkdtemp(dir=self._folder, prefix=_PARTIAL))

    def _remove(self, folder: Path) -> None:
        """Remove a folder, if it is there. It loses its name first: half of it would be taken for a whole version."""
        partial = self._make_partial()
        with suppress(OSError):
            folder.replace(partial / folder.name)
        shutil.rmtree(partial, ignore_errors=True)
