"""Train a registered version again from what was recorded of it, and compare."""

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

from . import provenance
from .git import run_git
from .origin import Origin, Reader
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


class Verdict(NamedTuple):
    """One compared item: what was recorded and what came out again."""

    item: str
    recorded: str
    reproduced: str

    @property
    def identical(self) -> bool:
        """Whether both are the same."""
        return self.recorded == self.reproduced


def reproduce(origin: Origin, reader: Reader, project: Path, install: bool) -> list[Verdict]:
    """Train again, in a folder of its own, with the recorded code, data and parameters.

    Args:
        origin: what was recorded.
        reader: what reads files back.
        project: the project's folder; it stays untouched.
        install: build the environment from the recorded lock file, instead of using the one at hand.

    Raises:
        ReproductionError: code or data can't be had any more, or the training fails.
    """
    with _worktree(origin, project) as copy:
        verdicts = [_environment(origin, copy, install)]
        _restore_data(origin, reader, copy)
        _restore_parameters(origin, copy)
        _train(copy, install)
        files = {file.dataset: file for file in origin.data}
        for dataset in ("preprocessor", "model", "test_predictions"):
            again = provenance.content_md5(copy / files[dataset].path)
            verdicts.append(Verdict(dataset, files[dataset].md5, again))
        metrics = json.loads((copy / files["metrics"].path).read_text())
        verdicts += [
            Verdict(f"metric {name}", repr(origin.metrics[name]), repr(metrics.get(name))) for name in origin.metrics
        ]
    return verdicts


@contextmanager
def _worktree(origin: Origin, project: Path) -> Iterator[Path]:
    """The code of a run: its commit with its uncommitted changes, in a git worktree that is removed again."""
    commit = origin.code.get("commit", "none")
    if commit.startswith("none"):
        raise ReproductionError(f"the code of run {origin.run} is not on record ({commit})")
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        run_git(project, "worktree", "add", "--detach", str(copy), commit)
        try:
            if origin.uncommitted:
                changes = download_artifacts(run_id=origin.run, artifact_path=origin.uncommitted)
                run_git(copy, "apply", "--binary", changes)
            yield copy
        finally:
            run_git(project, "worktree", "remove", "--force", str(copy))


def _restore_data(origin: Origin, reader: Reader, copy: Path) -> None:
    """Fetch, by md5, the recorded files that no stage makes: those that DVC tracks by a pointer."""
    for file in origin.data:
        if (copy / f"{file.path}.dvc").exists():
            reader.fetch(file, copy / file.path)


def _restore_parameters(origin: Origin, copy: Path) -> None:
    local = copy / "conf" / "local"
    local.mkdir(parents=True, exist_ok=True)
    (local / "mlflow.yml").write_text(yaml.safe_dump(_SCRATCH_STORE))
    recorded = download_artifacts(run_id=origin.run, artifact_path=PARAMETERS)
    parameters = OmegaConf.create()
    for key, value in json.loads(Path(recorded).read_text()).items():
        OmegaConf.update(parameters, key, value)
    OmegaConf.save(parameters, local / "parameters.yml")


def _environment(origin: Origin, copy: Path, install: bool) -> Verdict:
    if install:
        _call(["make", "-C", str(copy), "install"])
        return Verdict("environment", origin.environment["lock"], provenance.content_md5(copy / "requirements.lock"))
    here = Path("requirements.lock")
    return Verdict("environment", origin.environment["lock"], provenance.content_md5(here) if here.exists() else "none")


def _train(copy: Path, install: bool) -> None:
    binaries = copy / ".venv" / "bin" if install else Path(sys.executable).parent
    # conf/local of the copy has what is recorded, whatever environment is asked for here.
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "KEDRO_ENV": "local"}
    _call([str(binaries / "kedro"), "run", "--pipelines=train"], cwd=copy, environment=environment)


def _call(command: list[str], cwd: Path | None = None, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReproductionError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
