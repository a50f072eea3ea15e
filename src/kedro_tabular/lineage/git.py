"""Git, asked in a project's folder."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


class GitError(RuntimeError):
    """Git is not installed, or a command of it failed; the message is what it said."""


def run_git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> bytes:
    """What a git command prints.

    Args:
        folder: where it runs.
        arguments: of the command.
        environment: variables beside those of this process.

    Raises:
        GitError: it failed.
    """
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=os.environ | (environment or {}))
    except OSError as error:
        raise GitError(f"git can't be run: {error}") from error
    if done.returncode:
        raise GitError(f"{' '.join(command)} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
