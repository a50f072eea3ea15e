"""Identify files by content: the md5 that DVC computes for a file or folder is its identifier everywhere."""

import hashlib
import json
from functools import cache
from pathlib import Path

SHORT = 8  # digits of a hash that are shown; a query accepts them in place of the whole


def bytes_md5(content: bytes) -> str:
    """The md5 of bytes."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def content_md5(path: Path) -> str:
    """The md5 that DVC computes for a file or, ending in `.dir`, for a folder.

    A file is read in pieces, and an unchanged one only once.
    """
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
