"""Run git in a project's folder."""

import errno
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_DISK_FULL = ("Out of diskspace", "No space left on device")  # git's own words, and the system's


class GitError(RuntimeError):
    """Git is not installed, or a command failed; the message is what git printed."""


def run_git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> bytes:
    """Run a git command and return what it prints.

    Args:
        folder: where it runs.
        arguments: of the command.
        environment: variables in addition to those of this process.

    Raises:
        GitError: the command failed.
        OSError: the disk is full; git writes to its index even if it only compares.
    """
    command = ["git", "-C", str(folder), *arguments]
    try:
        process = subprocess.run(command, capture_output=True, check=False, env=os.environ | (environment or {}))
    except OSError as error:
        raise GitError(f"git can't be run: {error}") from error
    if process.returncode:
        said = process.stderr.decode(errors="replace").strip()
        if any(words in said for words in _DISK_FULL):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        raise GitError(f"{' '.join(command)} failed: {said}")
    return process.stdout
