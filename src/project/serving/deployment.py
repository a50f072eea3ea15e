"""Which version answers: found in the registry, kept as a local copy, loaded, tried out, and followed."""

import json
import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from ..aliases import holder
from ..answering import Answering, load_model
from ..contract import Contract
from .copies import Copies, DeploymentError, Identity, identify, read_identity

logger = logging.getLogger(__name__)

_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Deployed:
    """A version that is loaded and has answered its own example."""

    identity: Identity
    model: Answering
    contract: Contract
    example: pd.DataFrame
    answers: pd.DataFrame
    """What it answers to the example."""

    @property
    def classes(self) -> list[str]:
        """Names of the classes that it gives a probability for; none for a regression."""
        prefix = "probability_"
        columns = map(str, self.answers)
        return [name.removeprefix(prefix) for name in columns if name.startswith(prefix)]


class Deployment:
    """The version that an alias or a number names, followed as the alias moves.

    Args:
        name: the registered model.
        reference: an alias, or a version number, which stays.
        copies: folder for local copies of versions.
    """

    def __init__(self, name: str, reference: str, copies: Path) -> None:
        self._name, self._reference = name, reference
        self._copies = Copies(copies / name)
        self._stop = threading.Event()
        self.registry_problem: str | None = None
        self.refused: dict[str, str] = {}
        """Why a version that was to be served is not, by its number."""

    def start(self) -> None:
        """Load the version, from the local copy if the registry can't be reached.

        Raises:
            DeploymentError: there is none, or it can't answer.
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
        self.current = self._load(self._copies.fetch(wanted))
        self._copies.keep(self.current.identity)

    def follow(self, seconds: float) -> threading.Thread:
        """Look for another version again and again, in a thread that `close` ends."""
        thread = threading.Thread(target=self._follow, args=(seconds,), name="deployment", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Follow no more."""
        self._stop.set()

    def _follow(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            self.refresh()

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
            return
        number = str(wanted.version)
        if number in self.refused:
            return
        started = time.perf_counter()
        try:
            loaded = self._load(self._copies.fetch(wanted))
        except Exception as error:  # a version that can't be loaded must not take the good one with it
            self.refused[number] = str(error)
            logger.error("version %s can't be served, version %s goes on: %s", number, self.shown, error)
            return
        self.current = loaded
        self._copies.keep(self.current.identity)
        logger.info("version %s answers now, loaded in %.1f s", number, time.perf_counter() - started)

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
        number = self._reference if self._reference.isdecimal() else holder(self._name, self._reference)
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
            raise DeploymentError(
                f"version {identity.version} can't answer its own example: {error}"
            ) from error
        if not answers["source"].eq("model").all():
            raise DeploymentError(f"version {identity.version} does not answer its own example by the model")
        return Deployed(identity, model, contract, example, answers)
