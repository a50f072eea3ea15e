"""Check that what a run or a registered version came from can still be had, and is what was recorded."""

from collections.abc import Iterator
from pathlib import Path

from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from mlflow.models import get_model_info

from . import provenance
from .git import GitError, run_git
from .origin import Origin


def find_faults(origin: Origin, project: Path, model: str) -> Iterator[str]:
    """What can't be had any more, or is not what was recorded, a line each; nothing if all is well.

    Args:
        origin: what was recorded.
        project: the project's folder.
        model: the registered model's name.
    """
    commit = origin.code.get("commit", "none")
    if not _has_commit(commit, project):
        yield f"code: commit {commit} is not in this repository"
    for file in origin.data:
        if file.corrupted:
            yield f"cache: {file.path} ({file.md5}) is corrupted, get it again with dvc fetch"
        if not (file.workspace or file.cache or file.remote):
            yield f"data: {file.path} ({file.md5}) is in neither workspace nor cache nor remote"
    archived = {"environment: requirements.lock": ("requirements.lock", origin.environment.get("lock"))}
    if origin.uncommitted:
        archived["code: the diff of what was not committed"] = (origin.uncommitted, origin.code["diff"])
    for what, (artifact, md5) in archived.items():
        if not _is_stored(f"runs:/{origin.run}/{artifact}", md5):
            yield f"{what}, archived with the run, is missing or is not the one recorded"
    if origin.version is not None:
        yield from _model_faults(origin, f"models:/{model}/{origin.version}")


def _model_faults(origin: Origin, uri: str) -> Iterator[str]:
    recorded = {file.dataset: file.md5 for file in origin.data}
    try:
        stored = get_model_info(uri).flavors["python_function"]["artifacts"]
    except (MlflowException, OSError):
        yield f"model: version {origin.version} can't be read from the artifacts"
        return
    for name in sorted(set(stored) & set(recorded)):
        path = stored[name]["path"]
        if not _is_stored(f"{uri}/{path}", recorded[name]):
            yield f"model: {path} of version {origin.version} is missing or is not the one recorded"


def _has_commit(commit: str, project: Path) -> bool:
    try:
        run_git(project, "cat-file", "-e", f"{commit}^{{commit}}")
    except GitError:
        return False
    return True


def _is_stored(uri: str, md5: str | None) -> bool:
    try:
        return provenance.content_md5(Path(download_artifacts(uri))) == md5
    except (MlflowException, OSError):
        return False
