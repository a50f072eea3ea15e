"""What belongs to the sample alone, and goes when a table of your own takes its place.

Uses the standard library only: a copy without the sample is made before anything is installed.
"""

from collections.abc import Iterator
from pathlib import Path

_REMOTE = "sample"  # the DVC remote that has the sample's bytes
_BYTES = ".dvc/sample"
_FILES = (
    _BYTES,
    "conf/base/catalog_ingestion.yml",
    "conf/base/parameters_ingestion.yml",
    "data/sample.md",
    "src/*/pipelines/ingestion",
    "tests/sample",
)


def find(project: Path) -> Iterator[Path]:
    """Files and folders of the sample that are in the project: its data, its pipeline and its tests.

    None once its bytes are gone: an ingestion that is there later is somebody's own.
    """
    if not (project / _BYTES).exists():
        return
    for pattern in _FILES:
        yield from sorted(project.glob(pattern))
    for pointer in sorted(project.glob("data/01_raw/*.dvc")):
        if f"remote: {_REMOTE}" in pointer.read_text():
            yield pointer
            if pointer.with_suffix("").exists():
                yield pointer.with_suffix("")


def without_remote(config: str) -> str:
    """The text of .dvc/config without the remote of the sample; as it was if it has none."""
    kept: list[str] = []
    inside = False
    for line in config.splitlines(keepends=True):
        if line.startswith("["):
            inside = f'remote "{_REMOTE}"' in line
            if inside and kept and kept[-1].startswith("#"):
                kept.pop()  # the comment on it
        if not inside:
            kept.append(line)
    return "".join(kept)
