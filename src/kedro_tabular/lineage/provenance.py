"""Identify the code, data and environment of a run by content.

The md5 that DVC computes for a file is its identifier everywhere.
"""

import configparser
import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

from .git import GitError, run_git

DATA, GIT, ENVIRONMENT = "data.", "git.", "env."  # prefixes of the tags of runs and versions


def select_tags(tags: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The tags with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tags.items() if name.startswith(prefix)}


def bytes_md5(content: bytes) -> str:
    """The md5 of bytes."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def content_md5(path: Path) -> str:
    """The md5 that DVC computes for a file or, ending in `.dir`, for a folder. An unchanged file is read once."""
    if not path.is_dir():
        status = path.stat()
        return _file_md5(path.resolve(), status.st_mtime_ns, status.st_size)
    # DVC's object for a folder is the list of its files as JSON
    entries = [
        {"md5": content_md5(file), "relpath": file.relative_to(path).as_posix()}
        for file in sorted(path.rglob("*"), key=lambda file: file.relative_to(path).parts)
        if file.is_file() and "__pycache__" not in file.parts  # as .dvcignore says
    ]
    return bytes_md5(json.dumps(entries, sort_keys=True).encode()) + ".dir"


@cache
def _file_md5(path: Path, modified: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


class CodeState(NamedTuple):
    """The state of the source: tags, and the diff of uncommitted changes (empty if there are none)."""

    tags: dict[str, str]
    diff: bytes  # lines may have any ending and any encoding


def describe_code(project: Path) -> CodeState:
    """Commit, branch and uncommitted changes, including new files but not dvc.lock, which runs write.

    Outside a git repository, or before its first commit, a tag says so instead.
    """
    try:
        commit = run_git(project, "rev-parse", "--verify", "HEAD").decode().strip()
    except GitError:
        reason = "no commit yet" if (project / ".git").exists() else "not a git repository"
        return CodeState({GIT + "commit": f"none: {reason}"}, b"")
    diff = _uncommitted(project)
    tags = {
        "commit": commit,
        "branch": run_git(project, "rev-parse", "--abbrev-ref", "HEAD").decode().strip(),
        "dirty": str(bool(diff)).lower(),
        "diff": bytes_md5(diff) if diff else "none",
    }
    return CodeState({GIT + name: value for name, value in tags.items()}, diff)


def _uncommitted(project: Path) -> bytes:
    with TemporaryDirectory() as folder:
        # A separate index: the diff includes new files, and the user's index does not change.
        environment = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        run_git(project, "read-tree", "HEAD", environment=environment)
        run_git(project, "add", "--intent-to-add", "--all", ".", environment=environment)
        command = ("diff", "--binary", "HEAD", "--", ".", ":(exclude)dvc.lock")
        return run_git(project, *command, environment=environment)


def describe_environment(lock: Path) -> dict[str, str]:
    """Tags for the interpreter, the platform and the lock file."""
    return {
        ENVIRONMENT + "python": platform.python_version(),
        ENVIRONMENT + "platform": platform.platform(),
        ENVIRONMENT + "lock": content_md5(lock) if lock.exists() else f"none: no {lock.name}",
    }


class Upstream(NamedTuple):
    """What some files were made from: md5 by path, and the parameters of the stages by key."""

    files: dict[str, str]
    parameters: dict[str, Any]


def read_upstream(outputs: dict[str, str], project: Path) -> Upstream:
    """The files and parameters that `dvc repro` made some files from, back to the raw data, according to dvc.lock.

    Only stages whose recorded output has the same md5 count: nothing is known of a file that was made otherwise.

    Args:
        outputs: md5 by path, relative to the project.
        project: the project's folder.
    """
    lock = project / "dvc.lock"
    # The C parser, if PyYAML has it: the lock is long, and every stage reads it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content = yaml.load(lock.read_text(encoding="utf-8"), loader) if lock.exists() else None
    stages = (content or {}).get("stages", {})
    upstream = Upstream({}, {})
    pending = dict(outputs)
    while pending:
        path, md5 = pending.popitem()
        for stage in stages.values():
            if any(out["path"] == path and out.get("md5") == md5 for out in stage.get("outs", [])):
                inputs = {dep["path"]: dep["md5"] for dep in stage.get("deps", [])}
                pending |= {key: value for key, value in inputs.items() if key not in upstream.files}
                upstream.files.update(inputs)
                for parameters in stage.get("params", {}).values():
                    upstream.parameters.update(parameters)
    return upstream


def read_dvc_file(path: str, project: Path) -> dict[str, Any]:
    """The entry of a file in its `.dvc` file, with md5 and remote among others; empty if there is none."""
    file = project / f"{path}.dvc"
    return yaml.safe_load(file.read_text(encoding="utf-8"))["outs"][0] if file.exists() else {}


def remote_name(path: str, project: Path) -> str | None:
    """The DVC remote that a file's `.dvc` file names, else the default remote, if there is one."""
    default = _dvc_config(project).get("core", "remote", fallback=None)
    return read_dvc_file(path, project).get("remote") or default


def remote_uri(path: str, md5: str, project: Path) -> str:
    """Where the remote of the file stores, or would store, content with this md5."""
    section = f"'remote \"{remote_name(path, project)}\"'"
    url = _dvc_config(project).get(section, "url", fallback="")
    if url and "://" not in url:
        url = (project / ".dvc" / url).resolve().as_uri()
    return f"{url}/files/md5/{md5[:2]}/{md5[2:]}" if url else (project / path).as_uri()


def _dvc_config(project: Path) -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read([project / ".dvc" / "config", project / ".dvc" / "config.local"], encoding="utf-8")
    return config
