"""The import graph of the library and the project, read from their source without running it."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path

from ..kedro_project import package_name

LIBRARY = __name__.partition(".")[0]
# Modules that call functions of the project by name, without an import, and the modules with these functions.
_CALLBACKS = {f"{LIBRARY}.modelling.transformers": "features", f"{LIBRARY}.evaluation.metrics": "metrics"}


def import_closure(modules: Iterable[str]) -> dict[str, Path]:
    """Modules of the library and the project, and all of both that they import, directly or not, with their files."""
    pending = list(modules)
    files: dict[str, Path] = {}
    while pending:
        module = pending.pop()
        path = None if module in files else _source(module)
        if path is not None:
            files[module] = path
            pending += [*_imports(module, path, path.stat().st_mtime_ns), module.rpartition(".")[0]]
    return files


def defining_module(path: str) -> str:
    """The module that defines a class or function, from its dotted path, which may be that of a package's export."""
    package, _, name = path.rpartition(".")
    return _exports(package).get(name, package)


def project_modules() -> list[str]:
    """The modules of the project's package that Kedro loads: its settings, its registry and all of its pipelines."""
    package = package_name()
    if package is None:
        return []
    folder = package_folder(package)
    loaded = [folder / f"{name}.py" for name in ("__main__", "settings", "pipeline_registry")]
    files = [path.relative_to(folder) for path in (*loaded, *sorted((folder / "pipelines").rglob("*.py")))]
    return [".".join([package, *path.with_suffix("").parts]).removesuffix(".__init__") for path in files]


def project_libraries() -> set[str]:
    """The top-level names of the packages that the project's code imports, without the library and the project."""
    package = package_name()
    if package is None:
        return set()
    names: set[str] = set()
    for path in package_folder(package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module or "")
    return {name.partition(".")[0] for name in names} - {LIBRARY, package}


def package_folder(package: str) -> Path:
    """The folder of an importable package. Raises ModuleNotFoundError if there is none."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"there is no package {package}")
    return Path(spec.origin).parent


def _source(module: str) -> Path | None:
    """The file of a module or package; None if it is in neither the library nor the project."""
    package, *parts = module.split(".")
    if package not in (LIBRARY, package_name()):
        return None
    path = package_folder(package).joinpath(*parts)
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@cache
def _imports(module: str, path: Path, modified: int) -> list[str]:
    """The modules that a file imports, as of its last change."""
    return list(_find_imports(module, path))


def _find_imports(module: str, path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    if module in _CALLBACKS:
        yield f"{package_name()}.{_CALLBACKS[module]}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            yield origin
            for alias in node.names:
                name = f"{origin}.{alias.name}"
                yield _exports(origin).get(alias.name, name)
                yield from _attributes(tree, alias.asname or alias.name, _exports(name))


def _attributes(tree: ast.Module, package: str, exports: dict[str, str]) -> Iterator[str]:
    """The modules behind `package.name`, if the package is imported as a whole."""
    if exports:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == package:
                yield exports.get(node.attr, "")


@cache
def _exports(package: str) -> dict[str, str]:
    """The module of each name that a package of the library exports lazily, according to its stub."""
    path = _source(package)
    stub = path.with_suffix(".pyi") if path is not None else None
    if stub is None or not stub.is_file():
        return {}
    imports = [node for node in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"{package}.{node.module}" for node in imports if node.module for alias in node.names}
