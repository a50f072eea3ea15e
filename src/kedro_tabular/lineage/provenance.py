"""Where things come from, by content: code, data and environment of a run.

The md5 that DVC has for a file is that file's name everywhere.
"""

import configparser
import hashlib
import json
import platform
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

from .git import GitError, run_git

DATA, GIT, ENVIRONMENT = "data.", "git.", "env."
_CHUNK = 1 << 20


def content_md5(path: Path) -> str:
    """The md5 that DVC has for a file or, ending in `.dir`, for a folder. An unchanged file is read once."""
    if not path.is_dir():
        status = path.stat()
        return _file_md5(path.resolve(), status.st_mtime_ns, status.st_size)
    # DVC's object for a folder is the list of its files as JSON
    entries = [
        {"md5": content_md5(file), "relpath": file.relative_to(path).as_posix()}
        for file in sorted(path.rglob("*"), key=lambda file: file.relative_to(path).parts)
        if file.is_file() and "__pycache__" not in file.parts  # as .dvcignore says
    ]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


@cache
def _file_md5(path: Path, modified: int, size: int) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class Code(NamedTuple):
    """The state of the source: tags, and the diff of what is not committed (empty when all is)."""

    tags: dict[str, str]
    diff: bytes  # lines may end in any way and be in any encoding


def describe_code(project: Path) -> Code:
    """Commit, branch and uncommitted changes, new files among them; not dvc.lock, which runs write.

    Outside a git repository, or before its first commit, a tag says so instead.
    """
    try:
        commit = run_git(project, "rev-parse", "--verify", "HEAD").decode().strip()
    except GitError:
        inside = (project / ".git").exists()
        return Code({GIT + "commit": "none: no commit yet" if inside else "none: not a git repository"}, b"")
    diff = _uncommitted(project)
    tags = {
        "commit": commit,
        "branch": run_git(project, "rev-parse", "--abbrev-ref", "HEAD").decode().strip(),
        "dirty": str(bool(diff)).lower(),
    }
    tags["diff"] = hashlib.md5(diff, usedforsecurity=False).hexdigest() if diff else "none"
    return Code({GIT + name: value for name, value in tags.items()}, diff)


def _uncommitted(project: Path) -> bytes:
    with TemporaryDirectory() as folder:
        # In an index of its own: new files show in the diff, and the user's index stays as it is.
        environment = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        run_git(project, "read-tree", "HEAD", environment=environment)
        run_git(project, "add", "--intent-to-add", "--all", ".", environment=environment)
        changes = ("diff", "--binary", "HEAD", "--", ".", ":(exclude)dvc.lock")
        return run_git(project, *changes, environment=environment)


def describe_environment(lock: Path) -> dict[str, str]:
    """Tags for the interpreter, the platform and the lock file."""
    return {
        ENVIRONMENT + "python": platform.python_version(),
        ENVIRONMENT + "platform": platform.platform(),
        ENVIRONMENT + "lock": content_md5(lock) if lock.exists() else f"none: no {lock.name}",
    }


class Ancestry(NamedTuple):
    """What some files were made from: md5 by path, and the parameters of the stages by key."""

    files: dict[str, str]
    parameters: dict[str, Any]


def ancestors(made: dict[str, str], project: Path) -> Ancestry:
    """What `dvc repro` made some files from, back to the raw data, out of dvc.lock.

    Only stages whose recorded output has just these bytes count: a file made otherwise claims nothing.

    Args:
        made: md5 by path, relative to the project.
        project: the project's folder.
    """
    lock = project / "dvc.lock"
    # The parser in C, where PyYAML has it: the lock is long, and every stage waits for it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    recorded = yaml.load(lock.read_text(), loader) if lock.exists() else None
    stages = (recorded or {}).get("stages", {})
    found = Ancestry({}, {})
    waiting = dict(made)
    while waiting:
        path, md5 = waiting.popitem()
        for stage in stages.values():
            if any(out["path"] == path and out.get("md5") == md5 for out in stage.get("outs", [])):
                new = {dep["path"]: dep["md5"] for dep in stage.get("deps", [])}
                waiting |= {key: value for key, value in new.items() if key not in found.files}
                found.files.update(new)
                for parameters in stage.get("params", {}).values():
                    found.parameters.update(parameters)
    return found


def pointer(path: str, project: Path) -> dict[str, Any]:
    """What a file's `.dvc` pointer says of it, its md5 and remote among others; nothing without one."""
    file = project / f"{path}.dvc"
    return yaml.safe_load(file.read_text())["outs"][0] if file.exists() else {}


def remote_name(path: str, project: Path) -> str | None:
    """The DVC remote that a file names as its own, else the default one, if there is any."""
    default = _dvc_config(project).get("core", "remote", fallback=None)
    return pointer(path, project).get("remote") or default


def remote_address(path: str, md5: str, project: Path) -> str:
    """Where DVC keeps, or would keep, these bytes: in the remote of the file."""
    section = f"'remote \"{remote_name(path, project)}\"'"
    url = _dvc_config(project).get(section, "url", fallback="")
    if url and "://" not in url:
        url = (project / ".dvc" / url).resolve().as_uri()
    return f"{url}/files/md5/{md5[:2]}/{md5[2:]}" if url else (project / path).as_uri()


def _dvc_config(project: Path) -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read([project / ".dvc" / "config", project / ".dvc" / "config.local"])
    return config
