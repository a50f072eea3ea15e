"""Train a registered version again from its recorded origin, and compare."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import yaml
from kedro.framework.project import pipelines
from mlflow.artifacts import download_artifacts
from omegaconf import OmegaConf

from ..config import is_segment, model_folder
from ..kedro_project import MODEL_VARIABLE, SEGMENTS, SHARED_TABLE, TABLE, TRAIN, shared_pipelines
from .environment import LOCK, NONE, find_unlocked, is_installed
from .git import run_git
from .hashes import content_md5
from .origin import Origin, OriginReader
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


def reproduce(
    origin: Origin, reader: OriginReader, project: Path, producers: Mapping[str, str], install: bool
) -> list[ReproducedItem]:
    """Train again, in a separate folder, with the recorded code, data and parameters.

    Args:
        origin: what was recorded.
        reader: fetches recorded files.
        project: the project's folder; it is not changed.
        producers: the pipeline that makes each dataset; other recorded files are fetched.
        install: build the environment from the recorded lock file, instead of using the current one.

    Raises:
        ReproductionError: the code is not recorded, the environment can't be built, or the training fails.
        GitError: the code is not available.
        UnknownReferenceError: data are not available.
    """
    with _worktree(origin, project) as copy:
        compared = [_prepare_environment(origin, copy, project, install)]
        _restore_data(origin, reader, copy, producers)
        model = str(origin.parameters.get("table.name", ""))
        model = model if model_folder(copy / "conf", model).is_dir() else ""
        if model:
            _make_shared(origin, copy, install)
        _restore_parameters(origin, copy)
        _run_kedro(copy, install, TRAIN, model)
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
    """The project with the code of a run, its commit and uncommitted changes, in a git worktree that is then removed.

    The project may be a subfolder of its repository.
    """
    commit = origin.code.get("commit", "none")
    if commit.startswith("none"):
        raise ReproductionError(f"the code of run {origin.run} is not recorded ({commit})")
    subfolder = run_git(project, "rev-parse", "--show-prefix").decode().rstrip("\n")
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        run_git(project, "worktree", "add", "--detach", str(copy), commit)
        try:
            if origin.uncommitted:
                diff = download_artifacts(run_id=origin.run, artifact_path=origin.uncommitted)
                run_git(copy, "apply", "--binary", diff)
            yield copy / subfolder
        finally:
            run_git(project, "worktree", "remove", "--force", str(copy))


def _restore_data(origin: Origin, reader: OriginReader, copy: Path, producers: Mapping[str, str]) -> None:
    """Fetch the recorded files that no pipeline makes. Those of today may differ from those of the recorded code."""
    for file in origin.data:
        name = TABLE if file.dataset == SHARED_TABLE else file.dataset
        if is_segment(file.path):  # the shared pipelines make it
            continue
        if name not in producers or (copy / f"{file.path}.dvc").exists():
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


def _prepare_environment(origin: Origin, copy: Path, project: Path, install: bool) -> ReproducedItem:
    recorded = _describe(origin.environment.get("lock", NONE), origin.unlocked)
    if install:
        _run(["make", "-C", str(copy), "install"])
        _install_unlocked(origin.unlocked, copy / ".venv")
        # what was just installed
        return ReproducedItem("environment", recorded, _describe(content_md5(copy / LOCK), origin.unlocked))
    missing = [requirement for requirement in origin.unlocked if not is_installed(requirement)]
    if missing:
        raise ReproductionError(
            f"the run used libraries that were not in its lock file, and that this environment lacks: "
            f"{', '.join(missing)}. Install them, or use --install"
        )
    lock = project / LOCK
    classes = [value for name, value in origin.parameters.items() if name.rpartition(".")[2] == "class"]
    unlocked = sorted(library.requirement for library in find_unlocked(project, classes))
    return ReproducedItem("environment", recorded, _describe(content_md5(lock) if lock.exists() else NONE, unlocked))


def _describe(lock: str, unlocked: list[str]) -> str:
    return ", ".join([lock, *unlocked])


def _install_unlocked(requirements: list[str], environment: Path) -> None:
    """Install the libraries of a run that were not as in its lock file."""
    if not requirements:
        return
    said = f"the run used libraries that were not in its lock file: {', '.join(requirements)}"
    local = [requirement for requirement in requirements if " @ " in requirement]
    if local:
        raise ReproductionError(f"{said}. {', '.join(local)}: install them yourself, and reproduce without --install")
    python = str(environment / "bin" / "python")
    uv = shutil.which("uv")  # `make install` then makes an environment without pip
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    try:
        _run([*install, "--quiet", "--no-deps", *requirements])
    except ReproductionError as error:
        raise ReproductionError(f"{said}. They can't be installed: {error}") from error


def _make_shared(origin: Origin, copy: Path, install: bool) -> None:
    """Run the pipelines that all models share, as of the recorded code, in place of files that DVC may not have."""
    (copy / "conf" / "local").mkdir(parents=True, exist_ok=True)
    (copy / "conf" / "local" / "mlflow.yml").write_text(yaml.safe_dump(_SCRATCH_STORE), encoding="utf-8")
    table = next(file.path for file in origin.data if file.dataset == TABLE)
    names = [name for name in shared_pipelines(dict(pipelines)) if name != SEGMENTS or is_segment(table)]
    if names:
        _run_kedro(copy, install, ",".join(names), "")


def _run_kedro(copy: Path, install: bool, names: str, model: str) -> None:
    executables = copy / ".venv" / "bin" if install else Path(sys.executable).parent
    # conf/local of the copy has the recorded parameters, whatever the environment of this process.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    environment |= {"PYTHONPATH": str(copy / "src"), "KEDRO_ENV": "local", MODEL_VARIABLE: model}
    _run([str(executables / "kedro"), "run", f"--pipelines={names}"], cwd=copy, environment=environment)


def _run(command: list[str], cwd: Path | None = None, environment: dict[str, str] | None = None) -> None:
    process = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if process.returncode != 0:
        raise ReproductionError(f"{' '.join(command)} failed:\n{process.stdout[-2000:]}{process.stderr[-2000:]}")
