"""Small disks of tests, which can be filled: each a real tmpfs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FILLER = "filler"


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of this size in bytes, mounted at an empty folder. Skips the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"can't mount a small disk: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, leave: int) -> None:
    """Fill a disk, so that so many bytes are left; 4,096 bytes are the least but zero."""
    make_room(disk)
    with (disk / FILLER).open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free(disk) - leave)


def make_room(disk: Path) -> None:
    """Undo `fill`."""
    (disk / FILLER).unlink(missing_ok=True)


def free(disk: Path) -> int:
    """Bytes that are left."""
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize
