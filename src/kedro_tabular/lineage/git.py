"""Run git in a project's folder."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ..files import disk_full, is_disk_full


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
        failure = GitError(f"{' '.join(command)} failed: {process.stderr.decode(errors='replace').strip()}")
        raise disk_full(folder) if is_disk_full(failure) else failure
    return process.stdout
