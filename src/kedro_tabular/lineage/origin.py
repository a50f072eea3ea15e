"""Where a registered version or a file comes from, as the runs recorded it."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlflow
from dvc.exceptions import DvcException
from dvc.repo import Repo
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from .catalog import Catalog
from .environment import NONE, OUTSIDE
from .hashes import content_md5
from .provenance import DATA, ENVIRONMENT, GIT, expand_tags, select_tags
from .remotes import dvc_root, remote_name
from .tracking import UNCOMMITTED


class UnknownReferenceError(LookupError):
    """A reference that matches no version, alias, run or file."""


@dataclass(frozen=True)
class File:
    """A file of a run, and where it is available."""

    dataset: str
    path: str
    md5: str
    size: int | None
    workspace: bool
    cache: bool
    remote: bool
    corrupted: bool  # the cache has a file with this name, but other content

    @property
    def is_available(self) -> bool:
        """Whether it is anywhere."""
        return self.workspace or self.cache or self.remote


@dataclass(frozen=True)
class Origin:
    """Where a run, and the version registered from it, comes from; `users` are the runs that share a file."""

    run: str
    status: str
    version: str | None
    aliases: list[str]
    code: dict[str, str]
    data: list[File]
    parameters: dict[str, str]
    environment: dict[str, str]
    metrics: dict[str, float]
    users: list[str]

    @property
    def uncommitted(self) -> str | None:
        """The run's artifact with the uncommitted changes; None if there were none."""
        diff = self.code.get("diff", "none")
        return None if diff == "none" else UNCOMMITTED.format(diff)

    @property
    def unlocked(self) -> list[str]:
        """The libraries that were not as in the lock file, as pip takes them."""
        outside = self.environment.get(OUTSIDE, NONE)
        return [] if outside == NONE else outside.split(", ")

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return asdict(self)


class OriginReader:
    """Reads origins from a project's registry, tracking store and DVC repository.

    Args:
        project: the project's folder.
        catalog: its catalog.
        model: the registered model's name.
    """

    def __init__(self, project: Path, catalog: Catalog, model: str) -> None:
        self._project = project
        self._catalog = catalog
        self.model = model
        self._client = MlflowClient()
        root = dvc_root(project)
        self._dvc = Repo(str(root)) if root else None
        self._cache = self._dvc.cache.local if self._dvc else None

    def read(self, reference: str) -> Origin:
        """The origin of a version number, an alias, a run id, or the md5 or path of a file.

        Raises:
            UnknownReferenceError: nothing matches the reference.
        """
        version, run, users = self._resolve(reference)
        # A later stage may have continued the run since the version was registered.
        tags = run.data.tags | expand_tags(version.tags if version else {})
        registered = version or self._version_of(run)
        return Origin(
            run=run.info.run_id,
            status=run.info.status,
            version=str(registered.version) if registered else None,
            aliases=list(registered.aliases) if registered else [],
            code=select_tags(tags, GIT),
            data=[self._locate(name, md5) for name, md5 in sorted(select_tags(tags, DATA).items())],
            parameters=dict(sorted(run.data.params.items())),
            environment=select_tags(tags, ENVIRONMENT),
            metrics=dict(sorted(run.data.metrics.items())),
            users=users,
        )

    def fetch(self, file: File, target: Path) -> None:
        """Copy a file from the workspace, the cache or the remote.

        Raises:
            UnknownReferenceError: it is in none of them.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.workspace:
            shutil.copyfile(self._project / file.path, target)
            return
        store = self._cache if file.cache else self._remote(file.path)
        if store is None or not store.exists(file.md5):
            raise UnknownReferenceError(f"{file.path} ({file.md5}) is not available in the cache or the remote")
        store.fs.get_file(store.oid_to_path(file.md5), str(target))

    def _resolve(self, reference: str) -> tuple[ModelVersion | None, Run, list[str]]:
        version = self._find_version(reference)
        if version is not None:
            return version, self._client.get_run(str(version.run_id)), []
        try:
            return None, self._client.get_run(reference), []
        except MlflowException:
            pass
        path = self._project / reference
        md5 = content_md5(path) if path.exists() else reference
        all_runs: list[Run] = mlflow.search_runs(search_all_experiments=True, output_format="list")  # newest first
        runs = [run for run in all_runs if md5 in select_tags(run.data.tags, DATA).values()]
        if not runs:
            raise UnknownReferenceError(f"no version, alias, run or recorded file matches {reference!r}; see `make ui`")
        return None, runs[0], [run.info.run_id for run in runs]

    def _find_version(self, reference: str) -> ModelVersion | None:
        try:
            if reference.isdigit():
                return self._client.get_model_version(self.model, reference)
            return self._client.get_model_version_by_alias(self.model, reference)
        except MlflowException:
            return None

    def _version_of(self, run: Run) -> ModelVersion | None:
        versions = self._client.search_model_versions(f"name = '{self.model}' and run_id = '{run.info.run_id}'")
        newest = max(versions, key=lambda version: int(version.version), default=None)
        # A search returns versions without their aliases.
        return self._client.get_model_version(self.model, newest.version) if newest else None

    def _locate(self, dataset: str, md5: str) -> File:
        path = self._catalog.path(dataset) or dataset
        file, cache, remote = self._project / path, self._cache, self._remote(path)
        in_workspace = file.exists() and content_md5(file) == md5
        in_cache, in_remote = _is_stored(cache, md5), _is_stored(remote, md5)
        corrupted = cache is not None and not in_cache and cache.exists(md5)
        size = None  # for a folder, DVC stores the list of its files
        if not md5.endswith(".dir"):
            store = cache if in_cache else remote if in_remote else None
            size = file.stat().st_size if in_workspace else store.fs.size(store.oid_to_path(md5)) if store else None
        return File(dataset, path, md5, size, in_workspace, in_cache, in_remote, corrupted)

    def _remote(self, path: str) -> Any:
        if self._dvc is None:
            return None
        try:
            return self._dvc.cloud.get_remote_odb(remote_name(path, self._project))
        except DvcException:  # no remote with this name
            return None


def _is_stored(store: Any, md5: str) -> bool:
    """Whether a DVC cache or remote has this content; in a local one the file is read and compared."""
    if store is None or not store.exists(md5):
        return False
    path = Path(store.oid_to_path(md5))
    return not path.is_file() or content_md5(path) == md5.removesuffix(".dir")
