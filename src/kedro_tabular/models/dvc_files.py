"""What DVC knows of models: which have changed, and what a run has made. Each has a dvc.yaml of its own."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config import BASE, model_folder


class DvcError(RuntimeError):
    """A command of DVC failed; the message is what it printed."""


def run_shared(project: Path) -> None:
    """Run the stages that all models share, as far as they have changed. Raises DvcError."""
    if (project / "dvc.yaml").exists():
        _run_dvc(project, "repro", "dvc.yaml")


def changed_models(project: Path, models: Sequence[str]) -> list[str]:
    """Those of some models with a stage whose code, data or parameters have changed. Raises DvcError."""
    if not models:
        return []
    status = json.loads(_run_dvc(project, "status", "--json", *map(_stage_file, models)))
    changed = {stage.rpartition(":")[0] for stage in status}
    return [model for model in models if _stage_file(model) in changed]


def prepare_commit(project: Path) -> None:
    """Import what a commit needs, and let DVC parse each file of conf/ once in a process, not for each stage.

    Raises:
        DvcException: there is no repository of DVC.
    """
    from dvc.fs import LocalFileSystem
    from dvc.repo import Repo
    from dvc.utils import serialize

    parsed: dict[tuple[str, int, int], Any] = {}
    parse = serialize.LOADERS[".yml"]

    def load(path: str, *arguments: Any, **options: Any) -> Any:
        status = Path(path).stat()
        state = path, status.st_mtime_ns, status.st_size
        if state not in parsed:
            parsed[state] = parse(path, *arguments, **options)
        return copy.deepcopy(parsed[state])

    serialize.LOADERS[".yml"] = load
    with Repo(str(project)):
        for path in (project / "conf" / BASE).glob("*.yml"):
            load(str(path), fs=LocalFileSystem())


def commit_model(project: Path, model: str) -> None:
    """Record in the dvc.lock of a model what its stages have just read and made. Raises DvcError.

    It waits while another process works with DVC's files.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo  # not its command, which takes as long to start as to commit

    try:
        with Repo(str(project), _wait_for_lock=True) as repo:
            repo.commit(str(project / _stage_file(model)), force=True)
    except DvcException as error:
        raise DvcError(f"dvc commit failed:\n{error}") from error


def _stage_file(model: str) -> str:
    """Its dvc.yaml, relative to the project."""
    return (model_folder(Path("conf"), model) / "dvc.yaml").as_posix()


def _run_dvc(project: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    # the commands of stages begin with `python`, which is this one, whether or not its environment is activated
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = os.environ | {"PATH": path}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DvcError(f"dvc {arguments[0]} failed:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout
