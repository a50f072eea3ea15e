"""Check that what a run or a registered version came from is still available and unchanged."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from mlflow.models import get_model_info

from .git import GitError, run_git
from .hashes import content_md5
from .origin import Origin


def find_problems(origin: Origin, project: Path, model: str, producers: Mapping[str, str]) -> Iterator[str]:
    """A line for each thing that is no longer available, or differs from what was recorded.

    A file that a pipeline makes again need not be available: see `find_reproducible`.

    Args:
        origin: what was recorded.
        project: the project's folder.
        model: the registered model's name.
        producers: the pipeline that makes each dataset.
    """
    commit = origin.code.get("commit", "none")
    if not _has_commit(commit, project):
        yield f"code: commit {commit} is not in this repository"
    for file in origin.data:
        if file.corrupted:
            yield f"cache: {file.path} ({file.md5}) is corrupted, restore it with dvc fetch"
        if not file.is_available and file.dataset not in producers:
            yield f"data: {file.path} ({file.md5}) is in neither workspace nor cache nor remote"
    artifacts = {"environment: requirements.lock": ("requirements.lock", origin.environment.get("lock"))}
    if origin.uncommitted:
        artifacts["code: the diff of uncommitted changes"] = (origin.uncommitted, origin.code["diff"])
    for subject, (artifact, md5) in artifacts.items():
        if not _is_unchanged(f"runs:/{origin.run}/{artifact}", md5):
            yield f"{subject}, archived with the run, is missing or differs from the one recorded"
    if origin.version is not None:
        yield from _model_problems(origin, f"models:/{model}/{origin.version}")


def find_reproducible(origin: Origin, producers: Mapping[str, str]) -> Iterator[str]:
    """A line for each file that is no longer available, but that a pipeline makes again."""
    for file in origin.data:
        if not file.is_available and file.dataset in producers:
            yield f"{file.path} ({file.md5}) is not kept: {producers[file.dataset]} makes it again"


def _model_problems(origin: Origin, uri: str) -> Iterator[str]:
    recorded = {file.dataset: file.md5 for file in origin.data}
    try:
        artifacts = get_model_info(uri).flavors["python_function"]["artifacts"]
    except (MlflowException, OSError):
        yield f"model: the artifacts of version {origin.version} can't be read"
        return
    for name in sorted(set(artifacts) & set(recorded)):
        path = artifacts[name]["path"]
        if not _is_unchanged(f"{uri}/{path}", recorded[name]):
            yield f"model: {path} of version {origin.version} is missing or differs from the one recorded"


def _has_commit(commit: str, project: Path) -> bool:
    try:
        run_git(project, "cat-file", "-e", f"{commit}^{{commit}}")
    except GitError:
        return False
    return True


def _is_unchanged(uri: str, md5: str | None) -> bool:
    try:
        return content_md5(Path(download_artifacts(uri))) == md5
    except (MlflowException, OSError):
        return False
