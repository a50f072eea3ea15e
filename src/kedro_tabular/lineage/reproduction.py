"""Train a registered version again from its recorded origin, and compare."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import yaml
from mlflow.artifacts import download_artifacts
from omegaconf import OmegaConf

from .git import run_git
from .origin import Origin, OriginReader
from .provenance import content_md5
from .tracking import PARAMETERS

_SCRATCH_STORE = {
    "server": {"mlflow_tracking_uri": "sqlite:///scratch.db"},
    "tracking": {
        "experiment": {"name": "reproduction", "create_experiment_kwargs": {"artifact_location": "scratch"}},
        "disable_tracking": {"pipelines": []},
        "params": {"dict_params": {"flatten": True}},
    },
}


class ReproductionError(RuntimeError):
    """A version that can't be trained again; the message says what is missing."""


class ReproducedItem(NamedTuple):
    """One compared item: the recorded and the reproduced value."""

    item: str
    recorded: str
    reproduced: str

    @property
    def identical(self) -> bool:
        """Whether both are the same."""
        return self.recorded == self.reproduced


def reproduce(origin: Origin, reader: OriginReader, project: Path, install: bool) -> list[ReproducedItem]:
    """Train again, in a separate folder, with the recorded code, data and parameters.

    Args:
        origin: what was recorded.
        reader: fetches recorded files.
        project: the project's folder; it is not changed.
        install: build the environment from the recorded lock file, instead of using the current one.

    Raises:
        ReproductionError: the code is not recorded, or the training fails.
        GitError: the code is not available.
        UnknownReferenceError: data are not available.
    """
    with _worktree(origin, project) as copy:
        compared = [_prepare_environment(origin, copy, install)]
        _restore_data(origin, reader, copy)
        _restore_parameters(origin, copy)
        _train(copy, install)
        files = {file.dataset: file for file in origin.data}
        for dataset in ("preprocessor", "model", "test_predictions"):
            reproduced = content_md5(copy / files[dataset].path)
            compared.append(ReproducedItem(dataset, files[dataset].md5, reproduced))
        metrics = json.loads((copy / files["metrics"].path).read_text(encoding="utf-8"))
        compared += [
            ReproducedItem(f"metric {name}", repr(value), repr(metrics.get(name)))
            for name, value in origin.metrics.items()
        ]
    return compared


@contextmanager
def _worktree(origin: Origin, project: Path) -> Iterator[Path]:
    """The code of a run, its commit and uncommitted changes, in a git worktree that is removed afterwards."""
    commit = origin.code.get("commit", "none")
    if commit.startswith("none"):
        raise ReproductionError(f"the code of run {origin.run} is not recorded ({commit})")
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        run_git(project, "worktree", "add", "--detach", str(copy), commit)
        try:
            if origin.uncommitted:
                diff = download_artifacts(run_id=origin.run, artifact_path=origin.uncommitted)
                run_git(copy, "apply", "--binary", diff)
            yield copy
        finally:
            run_git(project, "worktree", "remove", "--force", str(copy))


def _restore_data(origin: Origin, reader: OriginReader, copy: Path) -> None:
    """Fetch the recorded files that no stage makes: those with a `.dvc` file."""
    for file in origin.data:
        if (copy / f"{file.path}.dvc").exists():
            reader.fetch(file, copy / file.path)


def _restore_parameters(origin: Origin, copy: Path) -> None:
    local = copy / "conf" / "local"
    local.mkdir(parents=True, exist_ok=True)
    (local / "mlflow.yml").write_text(yaml.safe_dump(_SCRATCH_STORE), encoding="utf-8")
    recorded = download_artifacts(run_id=origin.run, artifact_path=PARAMETERS)
    parameters = OmegaConf.create()
    for key, value in json.loads(Path(recorded).read_text(encoding="utf-8")).items():
        OmegaConf.update(parameters, key, value)
    OmegaConf.save(parameters, local / "parameters.yml")


def _prepare_environment(origin: Origin, copy: Path, install: bool) -> ReproducedItem:
    if install:
        _run(["make", "-C", str(copy), "install"])
    lock = (copy if install else Path()) / "requirements.lock"
    return ReproducedItem("environment", origin.environment["lock"], content_md5(lock) if lock.exists() else "none")


def _train(copy: Path, install: bool) -> None:
    executables = copy / ".venv" / "bin" if install else Path(sys.executable).parent
    # conf/local of the copy has the recorded parameters, whatever the environment of this process.
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "KEDRO_ENV": "local"}
    _run([str(executables / "kedro"), "run", "--pipelines=train"], cwd=copy, environment=environment)


def _run(command: list[str], cwd: Path | None = None, environment: dict[str, str] | None = None) -> None:
    process = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if process.returncode != 0:
        raise ReproductionError(f"{' '.join(command)} failed:\n{process.stdout[-2000:]}{process.stderr[-2000:]}")
