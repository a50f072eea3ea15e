"""Catalog datasets of the project's own."""

import hashlib
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from . import serialization


class SkopsDataset(AbstractDataset[Any, Any]):
    """A fitted scikit-learn object as a skops file with reproducible bytes.

    Args:
        filepath: where the file is.
        trusted: names of the types that it may be built of beyond those skops knows.
        metadata: anything; Kedro ignores it.
    """

    def __init__(self, filepath: str, trusted: list[str], metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._trusted = trusted
        self._kept: tuple[int, Any] | None = None
        self.metadata = metadata

    def save(self, data: Any) -> None:
        """Store the object; a failed save leaves the earlier file as it was."""
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        serialization.dump(data, self._filepath, self._trusted)
        self._keep(data)

    def load(self) -> Any:
        """The object as it is in the file now; one that several nodes of a run take is read once."""
        if self._kept is None or self._kept[0] != self._modified():
            self._keep(serialization.load(self._filepath, self._trusted))
        assert self._kept is not None
        return self._kept[1]

    def _keep(self, fitted: Any) -> None:
        self._kept = (self._modified(), fitted)

    def _modified(self) -> int:
        return self._filepath.stat().st_mtime_ns

    def _release(self) -> None:
        self._kept = None

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class FileVersionsDataset(AbstractDataset[Any, dict[str, str]]):
    """What is in the files of a folder: loads as a mapping of file to md5, the same md5 that DVC has for it.

    Args:
        filepath: the folder.
        metadata: anything; Kedro ignores it.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, str]:
        """File name to md5, in alphabetical order, leaving out DVC's pointers and hidden files."""
        return {
            path.name: hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            for path in sorted(self._folder.iterdir())
            if path.is_file() and path.suffix != ".dvc" and not path.name.startswith(".")
        }

    def save(self, data: Any) -> None:
        """Refuse: this dataset only reads."""
        raise DatasetError("file versions can only be read")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._folder}
