"""Which version answers: found in the registry, kept as a local copy, loaded, tried out, and followed."""

import json
import logging
import shutil
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import mlflow
import pandas as pd
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from .. import lineage
from ..aliases import holder
from ..champion import Answering, load_model
from ..contract import Contract

logger = logging.getLogger(__name__)

_IDENTITY = "version.json"
_SQLITE = "sqlite:///"


class DeploymentError(RuntimeError):
    """A version that can't be served; the message says why and what to do."""


@dataclass(frozen=True)
class Identity:
    """What a version is, told by `/version`; `data` are the md5 of the files it was made from, by dataset."""

    model: str
    version: str
    run_id: str
    commit: str
    data: dict[str, str]


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
        self._copies = copies / name
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
            self.current = self._load(self._last_good())
            return
        if wanted is None:
            raise DeploymentError(
                f"{self._name} has no version or alias {self._reference!r}: train one with "
                "`kedro run --pipeline=train`, or see `kedro models`"
            )
        self.current = self._load(self._fetch(wanted))
        self._remember()

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
        if wanted is None or _identify(wanted) == self.current.identity:
            return
        number = str(wanted.version)
        if number in self.refused:
            return
        started = time.perf_counter()
        try:
            loaded = self._load(self._fetch(wanted))
        except Exception as error:  # a version that can't be loaded must not take the good one with it
            self.refused[number] = str(error)
            logger.error("version %s can't be served, version %s goes on: %s", number, self.shown, error)
            return
        self.current = loaded
        self._remember()
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

    def _fetch(self, version: ModelVersion) -> Path:
        """The local copy of a version, made if there is none."""
        identity, folder = _identify(version), self._copies / str(version.version)
        if _read_identity(folder) == identity:
            return folder
        self._copies.mkdir(parents=True, exist_ok=True)
        partial = Path(mkdtemp(dir=self._copies, prefix=".partial-"))
        try:
            download_artifacts(f"models:/{self._name}/{version.version}", dst_path=str(partial))
            (partial / _IDENTITY).write_text(json.dumps(asdict(identity)))
            shutil.rmtree(folder, ignore_errors=True)  # the copy of a version of another store
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return folder

    def _last_good(self) -> Path:
        pointer = self._copies / _IDENTITY
        if not pointer.is_file():
            raise DeploymentError(
                "the registry can't be reached, and there is no local copy of a version served before"
            )
        return self._copies / str(json.loads(pointer.read_text())["version"])

    def _remember(self) -> None:
        """Note which copy is the last good one, and drop all but it and the newest other."""
        partial = self._copies / f"{_IDENTITY}.partial"
        partial.write_text(json.dumps(asdict(self.current.identity)))
        partial.replace(self._copies / _IDENTITY)
        copies = [path for path in self._copies.iterdir() if path.is_dir() and path.name != self.shown]
        for path in sorted(copies, key=lambda path: path.stat().st_mtime)[:-1]:
            shutil.rmtree(path, ignore_errors=True)

    def _load(self, folder: Path) -> Deployed:
        """Load the model of a copy, and let it answer its own example. Raises DeploymentError if it can't."""
        identity = _read_identity(folder)
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


def _identify(version: ModelVersion) -> Identity:
    tags: dict[str, Any] = version.tags
    return Identity(
        model=str(version.name),
        version=str(version.version),
        run_id=str(version.run_id),
        commit=tags.get(f"{lineage.GIT}commit", "unknown"),
        data={n.removeprefix(lineage.DATA): v for n, v in tags.items() if n.startswith(lineage.DATA)},
    )


def _read_identity(folder: Path) -> Identity | None:
    path = folder / _IDENTITY
    return Identity(**json.loads(path.read_text())) if path.is_file() else None
