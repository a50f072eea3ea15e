"""The served version: found in the registry, cached, loaded, tested on its input example, and kept up to date."""

import logging
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion

from ..outages import describe_outage
from .following import RegistryFollower
from .loaded_version import LoadedVersion, RowSchema, load_version, read_schema
from .local_cache import DeploymentError, LocalCache, identify
from .lookup import find_version

logger = logging.getLogger(__name__)

_MAX_LENGTH = 500  # characters of an error; MLflow's may be about a hundred files
_REFRESHES_BEFORE_RETRY = 12  # of a version that failed: the cause may have been temporary


class Deployment(RegistryFollower):
    """The version of a registered model that `reference` names: an alias, followed as it moves, or a number.

    `find` finds that version; by default it asks the registry each time.
    """

    current: LoadedVersion

    def __init__(
        self, name: str, reference: str, cache: Path, find: Callable[[], ModelVersion | None] | None = None
    ) -> None:
        super().__init__()
        self.name, self._reference = name, reference
        self._find_version = find or partial(find_version, name, reference)
        self._cache = LocalCache(cache / name / reference, mlflow.get_registry_uri())
        self._refreshes_before_retry: dict[str, int] = {}  # by refused version

    @property
    def refused_versions(self) -> list[str]:
        """The numbers of versions that can't be served; they are retried from time to time."""
        return list(self._refreshes_before_retry)

    def start(self) -> None:
        """Load the version, or else the last good one. Raises DeploymentError if neither can be served."""
        try:
            version = self._find_version()
        except Exception as error:  # whatever an unreachable registry raises
            self._record_registry_error(error)
            reason = describe_outage(error) or "the registry is not reachable"
            cause = DeploymentError(f"{reason}; and no version of it is in the local cache")
            self.current = self._load_last_good(cause)
            return
        self._record_success()
        if version is None:
            hint = "train one with `kedro run --pipeline=train`, or see `kedro models`"
            raise DeploymentError(f"{self.name} has no version or alias {self._reference!r}: {hint}")
        try:
            self._deploy(version)
        except DeploymentError as error:
            self.current = self._load_last_good(error)
            self._refuse(str(version.version), error)

    def prefetch(self) -> None:
        """Store the version in the local cache, so that it can be loaded without the registry.

        Raises:
            Exception: whatever an unreachable registry raises.
        """
        version = self._find_version()
        if version is not None:
            self._cache.fetch(version)

    def read_schema(self) -> RowSchema | None:
        """What the version in the local cache takes and returns; None if there is none."""
        folder = self._cache.last_good_version()
        return None if folder is None else read_schema(folder)

    def _refresh(self) -> None:
        """Replace the served version if the alias has moved and the new one can be served."""
        try:
            version = self._find_version()
        except Exception as error:
            self._record_registry_error(error)
            return
        self._record_success()
        if version is None or identify(version) == self.current.identity:
            self._refreshes_before_retry.clear()
            return
        number = str(version.version)
        if self._refreshes_before_retry.get(number, 0) > 0:
            self._refreshes_before_retry[number] -= 1
            return
        started = time.perf_counter()
        try:
            self._deploy(version)
        except DeploymentError as error:
            self._refuse(number, error)
            return
        self._refreshes_before_retry.clear()
        logger.info("%s version %s is served now, loaded in %.1f s", self.name, number, time.perf_counter() - started)

    def _deploy(self, version: ModelVersion) -> None:
        """Serve a version. Raises DeploymentError if that is not possible; then nothing has changed."""
        try:
            loaded = self._load(self._cache.fetch(version))
            self._cache.set_last_good_version(loaded.identity)
        except DeploymentError:
            self._cache.evict(str(version.version))  # the cached files may be damaged
            raise
        except Exception as error:  # of MLflow, or of the client of the store that has the files
            cause = describe_outage(error) or textwrap.shorten(str(error), _MAX_LENGTH)
            raise DeploymentError(f"the files of version {version.version} are not available: {cause}") from error
        self.current = loaded

    def _refuse(self, number: str, error: DeploymentError) -> None:
        self._refreshes_before_retry[number] = _REFRESHES_BEFORE_RETRY
        served = self.current.identity.version
        logger.error("%s version %s can't be served, version %s stays: %s", self.name, number, served, error)

    def _load_last_good(self, cause: DeploymentError) -> LoadedVersion:
        """Load the version that was served last. Raises the cause if there is none."""
        folder = self._cache.last_good_version()
        if folder is None:
            raise cause
        return self._load(folder)

    def _load(self, folder: Path) -> LoadedVersion:
        """Load a cached version and predict its input example. Raises DeploymentError if that fails."""
        identity = self._cache.read_identity(folder)
        if identity is None:
            raise DeploymentError(f"the local cache of {self.name} is not complete")
        return load_version(folder, identity)
