"""Files: written as a whole or not at all, YAML, and which disk is full."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser, if PyYAML has it
PARTIAL = ".partial"  # ending of the temporary file that becomes the file
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_SQLITE_FULL = (13, 778, 4874)  # its error codes: for the file, when it writes, for the index of the write-ahead log
_POSTGRESQL_FULL = "53100"  # its SQLSTATE
_FULL = (os.strerror(errno.ENOSPC), "Out of diskspace")  # the words of the system, and of git
_REMOTE = ("9p", "afs", "autofs", "ceph", "cifs", "fuse", "lustre", "nfs", "smb")  # a look at one of these may hang
_ALMOST_FULL = 10_000_000  # bytes that are left, or a hundredth: what did not fit may have been removed already


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary path to write to: it replaces the file when the block ends, unless the block raises an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    try:
        with naming_file(path):
            yield partial
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def naming_file(path: Path | str) -> Iterator[None]:
    """Let an error about a full disk within the block name the file, which the operating system does not."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE and error.filename is None:
            error.filename = str(path)
        raise


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write text (UTF-8) or bytes; if that fails, the earlier file stays unchanged."""
    with replaced(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def check_room(folder: Path, needed: int) -> None:
    """Raise the OSError of a full disk if a folder has less room than this, in bytes."""
    if psutil.disk_usage(str(folder)).free < needed:
        raise disk_full(folder)


def disk_full(folder: Path) -> OSError:
    """The error of a full disk."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def is_disk_full(error: BaseException) -> bool:
    """Whether an error of the operating system, of SQLite or of PostgreSQL says that a disk is full, or its text does.

    MLflow puts the errors of several files into one text.
    """
    if isinstance(error, OSError):
        return error.errno in _NO_SPACE
    codes = getattr(error, "sqlite_errorcode", None), getattr(error, "sqlstate", None)
    is_code = codes[0] in _SQLITE_FULL or codes[1] == _POSTGRESQL_FULL
    return is_code or any(words in str(error) for words in _FULL)


def describe_full_disk(error: BaseException) -> str:
    """A line about such an error: the file that could not be written, and the file systems that are full.

    SQLite does not say which file it is.
    """
    name = getattr(error, "filename", None)
    full = ", ".join(_full_file_systems())
    where = [f"{name} could not be written"] if name else []
    where += [f"there is no room left in {full}"] if full else []
    return f"the disk is full: {'; '.join(where) or error}"


def _full_file_systems() -> list[str]:
    """Where the local file systems that are almost full are mounted, each once."""
    found: dict[int, str] = {}
    for partition in psutil.disk_partitions(all=True):
        if "ro" in partition.opts.split(",") or partition.fstype.startswith(_REMOTE):
            continue
        try:
            usage, device = psutil.disk_usage(partition.mountpoint), Path(partition.mountpoint).stat().st_dev
        except OSError:  # not for this user
            continue
        if usage.percent > 50 and usage.free <= max(_ALMOST_FULL, usage.total / 100):
            found.setdefault(device, partition.mountpoint)
    return sorted(found.values())


def load_yaml(text: str) -> Any:
    """The values of a YAML text."""
    return yaml.load(text, YAML_LOADER)
