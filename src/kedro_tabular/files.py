"""Atomic writes of files, and YAML."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser, if PyYAML has it


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary path to write to: it replaces the file when the block ends, unless the block raises an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write text (UTF-8) or bytes; if that fails, the earlier file stays unchanged."""
    with replaced(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def load_yaml(text: str) -> Any:
    """The values of a YAML text."""
    return yaml.load(text, YAML_LOADER)
