"""Local files of Kedro's own datasets: each is replaced as a whole, or not at all."""

import os
import sys
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileOpener, LocalFileSystem
from kedro.framework.hooks import hook_impl

from ..files import PARTIAL, naming_file


class WholeFiles:
    """Lets all datasets that use fsspec, as Kedro's do, keep the earlier file if a save fails or the process ends.

    They would truncate the file first: with a full disk nothing would be left of it.
    """

    @hook_impl
    def after_context_created(self) -> None:
        """Take the place of fsspec's file system in this process."""
        for protocol in LocalFileSystem.protocol:
            fsspec.register_implementation(protocol, WholeFileSystem, clobber=True)


class WholeFileSystem(LocalFileSystem):
    """fsspec's local file system, in which a file that is written anew appears under its name when it is complete."""

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **options: Any) -> Any:
        target = Path(os.path.realpath(self._strip_protocol(path)))  # a link stays one
        is_special = target.exists() and not target.is_file()  # such as a pipe
        if "w" not in mode or is_special or not options.get("autocommit", True):
            return super()._open(path, mode, block_size, **options)
        if self.auto_mkdir:
            target.parent.mkdir(parents=True, exist_ok=True)
        return _NewFile(target, mode, fs=self, **options)


class _NewFile(LocalFileOpener):
    """A file that gets its name when it is closed, unless writing failed or an exception is on its way."""

    def __init__(self, target: Path, mode: str, **options: Any) -> None:
        self._target, self._partial = target, target.with_name(target.name + PARTIAL)
        self._has_failed, self._earlier_exception = False, sys.exception()
        super().__init__(str(self._partial), mode, **options)

    def write(self, *data: Any) -> int:
        """Write bytes."""
        try:
            with naming_file(self._target):
                return int(self.f.write(*data))
        except BaseException:
            self._has_failed = True
            raise

    def close(self) -> None:
        """Close the file and let it replace the earlier one, or else remove it."""
        if self.f is None or self.f.closed:
            return
        try:
            with naming_file(self._target):
                self.f.close()
            if not self._has_failed and sys.exception() is self._earlier_exception:
                self._partial.replace(self._target)
        finally:
            self._partial.unlink(missing_ok=True)

    def __exit__(self, *error: Any) -> None:
        """Close the file."""
        self.close()
