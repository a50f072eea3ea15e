"""The files that belong to the sample and are deleted when the user's table replaces it.

Uses the standard library only: a copy without the sample is made before anything is installed.
"""

from collections.abc import Iterator
from pathlib import Path

_REMOTE = "sample"  # the DVC remote that holds the sample's files
_STORAGE = ".dvc/sample"
_FILES = (
    _STORAGE,
    "conf/base/catalog_ingestion.yml",
    "conf/base/parameters_ingestion.yml",
    "data/sample.md",
    "src/*/pipelines/ingestion",
    "tests/sample",
)


def find(project: Path) -> Iterator[Path]:
    """Files and folders of the sample in the project: its data, its pipeline and its tests.

    None after its storage was deleted: an ingestion pipeline that is there then is the user's own.
    """
    if not (project / _STORAGE).exists():
        return
    for pattern in _FILES:
        yield from sorted(project.glob(pattern))
    for pointer in sorted(project.glob("data/01_raw/*.dvc")):
        if f"remote: {_REMOTE}" in pointer.read_text(encoding="utf-8"):
            yield pointer
            if pointer.with_suffix("").exists():
                yield pointer.with_suffix("")


def without_remote(config: str) -> str:
    """The text of .dvc/config without the remote of the sample."""
    lines: list[str] = []
    inside = False
    for line in config.splitlines(keepends=True):
        if line.startswith("["):
            inside = f'remote "{_REMOTE}"' in line
            if inside and lines and lines[-1].startswith("#"):
                lines.pop()  # the comment on it
        if not inside:
            lines.append(line)
    return "".join(lines)
