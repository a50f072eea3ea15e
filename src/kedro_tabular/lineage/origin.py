"""Where a registered version or a file comes from, read back from what the runs recorded."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from . import provenance
from .catalog import Catalog
from .tracking import UNCOMMITTED


class UnknownReferenceError(LookupError):
    """A reference that no version, alias, run or file answers to."""


@dataclass(frozen=True)
class File:
    """A file of a run, and where its bytes can be had."""

    dataset: str
    path: str
    md5: str
    size: int | None
    workspace: bool
    cache: bool
    remote: bool
    corrupted: bool  # the cache has a file of this name, but with other bytes


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
        """The run's artifact that holds what was not committed; None if all was."""
        diff = self.code.get("diff", "none")
        return None if diff == "none" else UNCOMMITTED.format(diff)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return asdict(self)


class Reader:
    """Reads origins out of one project's registry, tracking store and DVC repository.

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
        self._dvc = Repo(str(project)) if (project / ".dvc").exists() else None

    def read(self, reference: str) -> Origin:
        """The origin of a version number, an alias, a run id, or the md5 or path of a file.

        Raises:
            UnknownReferenceError: nothing answers to the reference.
        """
        version, run, users = self._resolve(reference)
        # A later stage may have continued the run since the version was registered.
        tags = run.data.tags | (version.tags if version else {})
        registered = version or self._version_of(run)
        return Origin(
            run=run.info.run_id,
            status=run.info.status,
            version=str(registered.version) if registered else None,
            aliases=list(registered.aliases) if registered else [],
            code=_cut(tags, provenance.GIT),
            data=[self._file(name, md5) for name, md5 in sorted(_cut(tags, provenance.DATA).items())],
            parameters=dict(sorted(run.data.params.items())),
            environment=_cut(tags, provenance.ENVIRONMENT),
            metrics=dict(sorted(run.data.metrics.items())),
            users=users,
        )

    def fetch(self, file: File, target: Path) -> None:
        """Copy the bytes of a file from the workspace, the cache or the remote.

        Raises:
            UnknownReferenceError: none of them has it.
        """
        source = self._project / file.path
        if not file.workspace:
            assert self._dvc is not None
            odb = self._dvc.cache.local if file.cache else self._remote(file.path)
            if odb is None or not odb.exists(file.md5):
                raise UnknownReferenceError(f"{file.path} ({file.md5}) can't be had from the cache or the remote")
            target.parent.mkdir(parents=True, exist_ok=True)
            odb.fs.get_file(odb.oid_to_path(file.md5), str(target))
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())

    def _resolve(self, reference: str) -> tuple[ModelVersion | None, Run, list[str]]:
        version = self._find_version(reference)
        if version is not None:
            return version, self._client.get_run(str(version.run_id)), []
        try:
            return None, self._client.get_run(reference), []
        except MlflowException:
            pass
        path = self._project / reference
        md5 = provenance.content_md5(path) if path.exists() else reference
        runs = [run for run in self._runs() if md5 in _cut(run.data.tags, provenance.DATA).values()]
        if not runs:
            raise UnknownReferenceError(
                f"no version, alias, run or recorded file answers to {reference!r}; see `make ui`"
            )
        return None, runs[0], [run.info.run_id for run in runs]

    def _find_version(self, reference: str) -> ModelVersion | None:
        try:
            if reference.isdigit():
                return self._client.get_model_version(self.model, reference)
            return self._client.get_model_version_by_alias(self.model, reference)
        except MlflowException:
            return None

    def _version_of(self, run: Run) -> ModelVersion | None:
        found = self._client.search_model_versions(f"name = '{self.model}' and run_id = '{run.info.run_id}'")
        newest = max(found, key=lambda version: int(version.version), default=None)
        return self._client.get_model_version(self.model, newest.version) if newest else None

    def _runs(self) -> Iterator[Run]:
        token, experiments = ("", [experiment.experiment_id for experiment in self._client.search_experiments()])
        while token is not None:
            page = self._client.search_runs(experiments, page_token=token or None)
            yield from page
            token = page.token

    def _file(self, dataset: str, md5: str) -> File:
        path = self._catalog.path(dataset) or dataset
        here = self._project / path
        same = here.exists() and provenance.content_md5(here) == md5
        local, remote = (self._dvc.cache.local if self._dvc else None), self._remote(path)
        cached, kept = _holds(local, md5), _holds(remote, md5)
        corrupted = local is not None and not cached and local.exists(md5)
        size = None  # of a folder, DVC keeps the list of its files
        if not md5.endswith(".dir"):
            odb = local if cached else remote if kept else None
            size = here.stat().st_size if same else odb.fs.size(odb.oid_to_path(md5)) if odb else None
        return File(dataset, path, md5, size, same, cached, kept, corrupted)

    def _remote(self, path: str) -> Any:
        if self._dvc is None:
            return None
        try:
            return self._dvc.cloud.get_remote_odb(provenance.remote_name(path, self._project))
        except DvcException:  # no remote of this name
            return None


def _holds(odb: Any, md5: str) -> bool:
    """Whether a DVC cache or remote holds these bytes; in a local one they are read, to be sure of them."""
    if odb is None or not odb.exists(md5):
        return False
    path = Path(odb.oid_to_path(md5))
    return not path.is_file() or provenance.content_md5(path) == md5.removesuffix(".dir")


def _cut(tags: dict[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in tags.items() if name.startswith(prefix)}
