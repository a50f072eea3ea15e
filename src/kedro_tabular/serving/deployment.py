"""The served version: found in the registry, cached, loaded, tested on its input example, and kept up to date."""

import json
import logging
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from ..contract import Contract, classes_of
from ..outages import describe_outage
from ..registry import LoadedModel, get_alias_version, load_model
from .local_cache import DeploymentError, LocalCache, VersionIdentity, identify

logger = logging.getLogger(__name__)

_SQLITE = "sqlite:///"
_MAX_LENGTH = 500  # characters of an error; MLflow's may be about a hundred files
_REFRESHES_BEFORE_RETRY = 12  # of a version that failed: the cause may have been temporary


def format_time(seconds: float) -> str:
    """A time in seconds since 1970 in ISO 8601, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@dataclass(frozen=True)
class LoadedVersion:
    """A version that is loaded and has predicted its input example."""

    identity: VersionIdentity
    model: LoadedModel
    contract: Contract
    classes: list[str]  # that it predicts probabilities of; none for a regression


class Deployment:
    """The version of a registered model that `reference` names: an alias, followed as it moves, or a number."""

    current: LoadedVersion

    def __init__(self, name: str, reference: str, cache: Path) -> None:
        self._name, self._reference = name, reference
        self._cache = LocalCache(cache / name / reference, mlflow.get_registry_uri())
        self._stopped = threading.Event()
        self._refreshes_before_retry: dict[str, int] = {}  # by refused version
        self.registry_error: str | None = None
        self.refresh_error: str | None = None  # of any other kind
        self.refreshed = 0.0  # when the registry was last asked successfully, in seconds since 1970

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
        self.refreshed = time.time()
        if version is None:
            hint = "train one with `kedro run --pipeline=train`, or see `kedro models`"
            raise DeploymentError(f"{self._name} has no version or alias {self._reference!r}: {hint}")
        try:
            self._deploy(version)
        except DeploymentError as error:
            self.current = self._load_last_good(error)
            self._refuse(str(version.version), error)

    def start_polling(self, interval: float, after_refresh: Callable[[], None]) -> None:
        """Refresh in a thread, with a pause of `interval` seconds, until `close`."""

        def poll() -> None:
            while not self._stopped.wait(interval):
                for step in (self.refresh, after_refresh):
                    try:
                        step()
                    except BaseException:  # of any type: the thread must go on
                        logger.exception("the refresh failed; it is tried again")

        self._stopped.clear()
        threading.Thread(target=poll, name="deployment", daemon=True).start()

    def close(self) -> None:
        """Stop polling."""
        self._stopped.set()

    def refresh(self) -> None:
        """Replace the served version if the alias has moved and the new one can be served.

        An unreachable registry is recorded. Errors that are not foreseen are recorded and raised.
        """
        try:
            self._refresh()
        except BaseException:
            if self.refresh_error is None:
                self.refresh_error = f"failing since {format_time(time.time())}"
            raise
        self.refresh_error = None

    def _refresh(self) -> None:
        try:
            version = self._find_version()
        except Exception as error:
            self._record_registry_error(error)
            return
        self.refreshed = time.time()
        if self.registry_error is not None:
            logger.info("the registry is reachable again")
            self.registry_error = None
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
        logger.info("version %s is served now, loaded in %.1f s", number, time.perf_counter() - started)

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
        logger.error("version %s can't be served, version %s stays: %s", number, served, error)

    def _record_registry_error(self, error: Exception) -> None:
        if self.registry_error is None:
            logger.warning("the registry is not reachable: %s", describe_outage(error) or error)
            self.registry_error = f"unreachable since {format_time(time.time())}"

    def _find_version(self) -> ModelVersion | None:
        uri = mlflow.get_registry_uri()
        if uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).is_file():
            raise FileNotFoundError("its database does not exist")  # MLflow would create an empty one
        number = self._reference if self._reference.isdecimal() else get_alias_version(self._name, self._reference)
        try:
            return None if number is None else MlflowClient().get_model_version(self._name, number)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

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
            raise DeploymentError(f"the local cache of {self._name} is not complete")
        try:
            model = load_model(folder)
            example: Any = Model.load(str(folder)).load_input_example(str(folder))
            predictions = model.predict(example)
            config = json.loads((folder / "artifacts" / "contract.json").read_text(encoding="utf-8"))
            contract = Contract.from_parameters(config["table"])
        except Exception as error:
            raise DeploymentError(f"version {identity.version} can't predict its input example: {error}") from error
        if not predictions["source"].eq("model").all():
            raise DeploymentError(f"version {identity.version} predicts its input example by the fallback")
        return LoadedVersion(identity, model, contract, classes_of(predictions.columns))
