"""Load a registered version: in this process, or in a separate one with its archived code."""

import json
import logging
import pickle
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow.models import Model
from mlflow.pyfunc import PythonModelContext

from ..contract import ContractError, Values
from .archived_code import is_current

logger = logging.getLogger(__name__)


class ModelError(RuntimeError):
    """A model in a separate process failed, for a reason other than its rows' contract, or its process ended."""


class LoadedModel(Protocol):
    """A model that is loaded, in this process or in a separate one."""

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict a table of raw rows, as `PackagedModel.predict` does."""

    def predict_columns(self, columns: Mapping[str, Values], n_rows: int, explain: bool) -> dict[str, np.ndarray]:
        """Predict columns of raw rows, as `PackagedModel.predict_columns` does."""


def load_model(folder: Path) -> LoadedModel:
    """Load the model of a folder, with its archived code if that differs from the current code."""
    if not is_current(folder / "code"):
        logger.info("the model runs with the code that is archived with it")
        return ModelProcess(folder)
    # Not with MLflow's loader, which inspects all installed packages first.
    from ..modelling import PackagedModel  # imports scikit-learn, which only loading a model needs

    artifacts = Model.load(str(folder)).flavors["python_function"]["artifacts"]
    model = PackagedModel()
    model.load_context(PythonModelContext({name: str(folder / file["path"]) for name, file in artifacts.items()}, {}))
    return model


class ModelProcess:
    """A model in a separate process, which runs worker.py. A process that was killed is started again."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, Lock()
        self._start()

    def _start(self) -> None:
        self._log = TemporaryFile()  # noqa: SIM115  # not a pipe, which blocks when it is full
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("worker.py")), str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict rows, as `PackagedModel.predict` does.

        Raises:
            ContractError: the rows break the model's contract.
            ModelError: the model raised any other error, or its process ended.
        """
        with self._lock:
            if self._process.poll() is not None:  # killed, for example because memory ran out
                self._start()
            assert self._process.stdin is not None and self._process.stdout is not None
            header, predictions = b"", None
            with suppress(OSError, pa.ArrowInvalid):  # the process has ended
                # pickled, not an Arrow table: a column of raw rows may hold values of several types
                pickle.dump((model_input, params), self._process.stdin)
                self._process.stdin.flush()
                header = self._process.stdout.readline()
                if header == b"null\n":
                    predictions = pa.ipc.open_stream(self._process.stdout).read_pandas()
            if not header or (header == b"null\n" and predictions is None):
                self._log.seek(0)
                lines = self._log.read().decode(errors="replace").strip().splitlines()
                raise ModelError(f"the model's process ended: {lines[-1] if lines else ''}")
        if predictions is None:
            name, message = json.loads(header)
            if name == ContractError.__name__:
                raise ContractError(message)
            raise ModelError(f"the model raised {name}: {message}")
        for name, convert in (("reasons", tuple), ("explanation", json.loads)):
            if name in predictions:
                predictions[name] = pd.Series(map(convert, predictions[name]), index=predictions.index, dtype=object)
        return predictions

    def predict_columns(self, columns: Mapping[str, Values], n_rows: int, explain: bool) -> dict[str, np.ndarray]:
        """Predict columns of rows, as `PackagedModel.predict_columns` does."""
        rows = pd.DataFrame(dict(columns), index=range(n_rows))
        predictions = self.predict(rows, {"explain": True} if explain else None)
        return {str(name): predictions[name].to_numpy() for name in predictions}

    def __del__(self) -> None:
        """End the process with the object."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()
