"""Which modules of the library and of the project use which, read from their source without running it."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ..project import package_name

LIBRARY = __name__.partition(".")[0]
# Modules that run functions of the project which they know by name only, and the modules with these.
_CALLBACKS = {f"{LIBRARY}.modelling.transformers": "features", f"{LIBRARY}.evaluation.metrics": "metrics"}


def closure(modules: Iterable[str]) -> dict[str, Path]:
    """Modules of the library and the project, and all of both that they import, directly or not, with their files."""
    waiting = list(modules)
    found: dict[str, Path] = {}
    while waiting:
        module = waiting.pop()
        path = None if module in found else source(module)
        if path is not None:
            found[module] = path
            waiting += [*_imported(module, path), module.rpartition(".")[0]]
    return found


def source(module: str) -> Path | None:
    """The file of a module or package; None for one of neither the library nor the project."""
    package, *parts = module.split(".")
    if package not in (LIBRARY, package_name()):
        return None
    place = package_folder(package).joinpath(*parts)
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def defining_module(path: str) -> str:
    """The module of a dotted path to a class or function, which may be that of the package that exports it."""
    package, _, name = path.rpartition(".")
    return _exports(package).get(name, package)


def package_folder(package: str) -> Path:
    """The folder of an importable package. Raises ModuleNotFoundError if there is none."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"there is no package {package}")
    return Path(spec.origin).parent


def _imported(module: str, path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    if module in _CALLBACKS:
        yield f"{package_name()}.{_CALLBACKS[module]}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield origin
            for alias in node.names:
                name = f"{origin}.{alias.name}"
                yield _exports(origin).get(alias.name, name)
                yield from _attributes(tree, alias.asname or alias.name, _exports(name))


def _attributes(tree: ast.Module, package: str, exports: dict[str, str]) -> Iterator[str]:
    """The modules behind `package.name`, where the package is imported as a whole."""
    if exports:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == package:
                yield exports.get(node.attr, "")


@cache
def _exports(package: str) -> dict[str, str]:
    """The module of each name that a package of the library exports lazily, as its stub says."""
    path = source(package)
    stub = path.with_suffix(".pyi") if path is not None else None
    if stub is None or not stub.is_file():
        return {}
    imports = [node for node in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"{package}.{node.module}" for node in imports if node.module for alias in node.names}
