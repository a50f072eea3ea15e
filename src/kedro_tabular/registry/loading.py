"""A registered version that is loaded: in this process, or in one of its own with its archived code."""

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


class LoadedModel(Protocol):
    """A model that is loaded, in this process or in one of its own."""

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer a table of raw rows, as `PackagedModel.predict` does."""

    def answer(self, columns: Mapping[str, Values], n_rows: int, explain: bool) -> dict[str, np.ndarray]:
        """Answer columns of raw rows, as `PackagedModel.answer` does."""


def load_model(folder: Path) -> LoadedModel:
    """Load the model of a folder, with the code that is archived in it where the code at hand differs."""
    if not is_current(folder / "code"):
        logger.info("the model answers with the code that is archived with it")
        return _Worker(folder)
    # Not through MLflow's loader, which looks through all installed packages first.
    from ..modelling import PackagedModel  # only where a model is loaded: it brings scikit-learn

    stored = Model.load(str(folder)).flavors["python_function"]["artifacts"]
    model = PackagedModel()
    model.load_context(PythonModelContext({name: str(folder / file["path"]) for name, file in stored.items()}, {}))
    return model


class _Worker:
    """The other side of worker.py."""

    def __init__(self, model: Path) -> None:
        self._model, self._lock = model, Lock()
        self._start()

    def _start(self) -> None:
        self._complaints = TemporaryFile()  # noqa: SIM115  # not a pipe, which blocks when it is full
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("worker.py")), str(self._model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
        )

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer rows. Raises ContractError with what the model said of them."""
        # pickled, not as an Arrow table: raw rows may hold values of several types in one column
        question = pickle.dumps((model_input, params))
        with self._lock:
            if self._process.poll() is not None:  # killed, as for want of memory
                self._start()
            assert self._process.stdin is not None and self._process.stdout is not None
            with suppress(BrokenPipeError):  # then there is no answer either
                self._process.stdin.write(len(question).to_bytes(8) + question)
                self._process.stdin.flush()
            header = self._process.stdout.read(8)
            answer = self._process.stdout.read(int.from_bytes(header)) if len(header) == 8 else b""
        if not answer:
            self._complaints.seek(0)
            said = self._complaints.read().decode(errors="replace").strip()
            raise RuntimeError(f"the model's process ended: {said.rpartition(chr(10))[2]}")
        if answer[:1] != b"\x00":
            raise ContractError(answer[1:].decode())
        answers = pa.ipc.open_stream(answer[1:]).read_pandas()
        answers["reasons"] = pd.Series(map(tuple, answers["reasons"]), index=answers.index, dtype=object)
        if "explanation" in answers:
            told = [json.loads(text) for text in answers["explanation"]]
            answers["explanation"] = pd.Series(told, index=answers.index, dtype=object)
        return answers

    def answer(self, columns: Mapping[str, Values], n_rows: int, explain: bool) -> dict[str, np.ndarray]:
        """Answer columns of rows, as `PackagedModel.answer` does."""
        frame = pd.DataFrame(dict(columns), index=range(n_rows))
        answers = self.predict(frame, {"explain": True} if explain else None)
        return {str(name): answers[name].to_numpy() for name in answers}

    def __del__(self) -> None:
        """End the process with the object."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()
