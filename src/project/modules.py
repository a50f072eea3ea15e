"""Which modules of this package use which, read from their source without running it."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent


def closure(modules: Iterable[Path]) -> set[Path]:
    """Files of the package, and all files of the package that they import, directly or not."""
    waiting = list(modules)
    seen: set[Path] = set()
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += _imported(module)
    return seen


def _imported(module: Path) -> Iterator[Path]:
    """Files of the package that a module imports. All such imports are relative (a test holds that)."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = module.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for path in (base, *(base / alias.name for alias in node.names)):
                if path.with_suffix(".py").is_file():
                    yield path.with_suffix(".py")
