"""Which version answers: found in the registry, kept as a local copy, loaded, tried out, and followed."""

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from ..contract import Contract, classes_of
from ..registry import LoadedModel, get_alias_version, load_model
from .local_cache import DeploymentError, LocalCache, VersionIdentity, identify, read_identity

logger = logging.getLogger(__name__)

_SQLITE = "sqlite:///"
_LOOKS_BETWEEN_TRIES = 12  # at a version that failed, for what may have been a passing fault


@dataclass(frozen=True)
class Deployed:
    """A version that is loaded and has answered its own example."""

    identity: VersionIdentity
    model: LoadedModel
    contract: Contract
    example: pd.DataFrame
    classes: list[str]
    """Names of the classes that it gives a probability for; none for a regression."""


class Deployment:
    """The version that an alias or a number names, followed as the alias moves.

    Args:
        name: the registered model.
        reference: an alias, or a version number, which stays.
        copies: folder for local copies of versions.
    """

    def __init__(self, name: str, reference: str, copies: Path) -> None:
        self._name, self._reference = name, reference
        self._copies = LocalCache(copies / name / reference)
        self._stop = threading.Event()
        self._waits: dict[str, int] = {}
        self.registry_problem: str | None = None

    @property
    def refused(self) -> list[str]:
        """Numbers of versions that could not be served; they are tried again from time to time."""
        return list(self._waits)

    def start(self) -> None:
        """Load the version, or the last good one where the registry or the version fails.

        Raises:
            DeploymentError: there is neither.
        """
        try:
            wanted = self._find()
        except Exception as error:  # whatever a registry that can't be reached raises
            self._note_registry(error)
            self.current = self._load(self._copies.last_good())
            return
        if wanted is None:
            raise DeploymentError(
                f"{self._name} has no version or alias {self._reference!r}: train one with "
                "`kedro run --pipeline=train`, or see `kedro models`"
            )
        try:
            self._serve(wanted)
        except DeploymentError as error:
            if not self._copies.any_good():
                raise
            self.current = self._load(self._copies.last_good())
            self._refuse(str(wanted.version), error)

    def follow(self, seconds: float, after: Callable[[], None]) -> None:
        """Look for another version again and again, in a thread that `close` ends.

        Args:
            seconds: between two looks.
            after: called after each.
        """

        def look() -> None:
            while not self._stop.wait(seconds):
                self.refresh()
                after()

        self._stop.clear()
        threading.Thread(target=look, name="deployment", daemon=True).start()

    def close(self) -> None:
        """Follow no more."""
        self._stop.set()

    def refresh(self) -> None:
        """Serve the version that is wanted now, if it is another one and can answer; never raises."""
        try:
            wanted = self._find()
        except Exception as error:
            self._note_registry(error)
            return
        if self.registry_problem is not None:
            logger.info("the registry can be reached again")
            self.registry_problem = None
        if wanted is None or identify(wanted) == self.current.identity:
            self._waits.clear()
            return
        number = str(wanted.version)
        if self._waits.get(number, 0) > 0:
            self._waits[number] -= 1
            return
        started = time.perf_counter()
        try:
            self._serve(wanted)
        except DeploymentError as error:
            self._refuse(number, error)
            return
        self._waits.clear()
        logger.info("version %s answers now, loaded in %.1f s", number, time.perf_counter() - started)

    def _serve(self, wanted: ModelVersion) -> None:
        """Let a version answer. Raises DeploymentError if it can't; then nothing has changed."""
        try:
            loaded = self._load(self._copies.fetch(wanted))
            self._copies.keep(loaded.identity)
        except DeploymentError:
            self._copies.drop(str(wanted.version))  # it may be the copy that is at fault
            raise
        except (MlflowException, OSError) as error:
            raise DeploymentError(f"the files of version {wanted.version} can't be had: {error}") from error
        self.current = loaded

    def _refuse(self, number: str, error: DeploymentError) -> None:
        self._waits[number] = _LOOKS_BETWEEN_TRIES
        logger.error("version %s can't be served, version %s goes on: %s", number, self.shown, error)

    @property
    def shown(self) -> str:
        """The number of the version that answers."""
        return self.current.identity.version

    def _note_registry(self, error: Exception) -> None:
        if self.registry_problem is None:
            logger.warning("the registry can't be reached: %s", error)
            self.registry_problem = time.strftime("unreachable since %Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def _find(self) -> ModelVersion | None:
        address = mlflow.get_registry_uri()
        if address.startswith(_SQLITE) and not Path(address.removeprefix(_SQLITE)).is_file():
            raise FileNotFoundError("its database is not there")  # MLflow would make an empty one
        number = self._reference if self._reference.isdecimal() else get_alias_version(self._name, self._reference)
        try:
            return None if number is None else MlflowClient().get_model_version(self._name, number)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _load(self, folder: Path) -> Deployed:
        """Load the model of a copy, and let it answer its own example. Raises DeploymentError if it can't."""
        identity = read_identity(folder)
        if identity is None:
            raise DeploymentError(f"the local copy of {self._name} is not complete")
        try:
            model = load_model(folder)
            example: Any = Model.load(str(folder)).load_input_example(str(folder))
            answers = model.predict(example)
            config = json.loads((folder / "artifacts" / "contract.json").read_text())
            contract = Contract.from_parameters(config["table"])
        except Exception as error:
            raise DeploymentError(f"version {identity.version} can't answer its own example: {error}") from error
        if not answers["source"].eq("model").all():
            raise DeploymentError(f"version {identity.version} does not answer its own example by the model")
        return Deployed(identity, model, contract, example, classes_of(answers.columns))
