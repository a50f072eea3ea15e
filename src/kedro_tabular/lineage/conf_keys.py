"""The keys of conf/ that a pipeline reads, by file, so that DVC can track them.

They are its parameters, the catalog entries of its files, and the values that these refer to by `${...}`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from kedro.pipeline import Pipeline

from ..config import MODELS, model_names
from ..files import load_yaml
from ..kedro_project import SEGMENTS
from ..parameters import OPTIONAL_SECTIONS, ParameterError
from .catalog import Catalog

BASE = "conf/base"
_SUFFIXES = (".yml", ".yaml", ".json")
# A reference to another value, `${key}`, `${.key}` or `${resolver:key}`: the resolver, the dots and the key.
_REFERENCE = re.compile(r"\$\{\s*(?:([\w.]+):)?\s*(\.*)(\w[\w-]*(?:\.[\w-]+)*)")
_MISSING = object()
_WHERE = "table.where"


class _Key(NamedTuple):
    """A key of one kind of configuration, dotted if it is inside another."""

    kind: str  # parameters | catalog | globals
    name: str


def is_of_kind(path: Path, kind: str) -> bool:
    """Whether Kedro reads a file, given relative to the project, as parameters, catalog or globals."""
    below = path.parts[3:] if path.parts[1] == MODELS else path.parts[2:]  # the folder of the layer
    return path.suffix in _SUFFIXES and any(part.startswith(kind) for part in below)


def conf_files(project: Path, environment: str, kind: str) -> list[str]:
    """The files of one kind in an environment, relative to the project."""
    folder = project / "conf" / environment
    files = (path.relative_to(project) for path in sorted(folder.rglob("*")))
    return [path.as_posix() for path in files if is_of_kind(path, kind)]


def layer_of(file: str) -> int:
    """The position of a file's layer in conf/: conf/base, a model, an environment."""
    return 0 if file.startswith(f"{BASE}/") else 1 if file.startswith(f"conf/{MODELS}/") else 2


def load_file(path: Path) -> dict[str, Any]:
    """The values of a YAML file, without resolving references; none if it is empty."""
    status = path.stat()
    return _load_file(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)  # the stages of all models read the files of conf/base
def _load_file(path: Path, *state: int) -> dict[str, Any]:
    content = load_yaml(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}


def read_keys(
    pipeline: Pipeline, catalog: Catalog, project: Path, environments: Sequence[str]
) -> dict[str, list[str] | None]:
    """The keys that a pipeline reads by file; None where DVC has to track a file as a whole.

    Args:
        pipeline: whose parameters and files count.
        catalog: the project's catalog.
        project: the project's folder.
        environments: folders of conf/.

    Raises:
        ParameterError: a node takes a parameter that no file has.
    """
    files = {kind: _read(project, environments, kind) for kind in ("parameters", "catalog", "globals")}
    for name in set(parameter_names(pipeline)) - {*OPTIONAL_SECTIONS, SEGMENTS}:
        if all(_select(content, name) is _MISSING for content in files["parameters"].values()):
            raise ParameterError(f"no conf/base/parameters*.yml has the key {name} that a node takes")
    found = {file: {""} for file in files["parameters"] if "parameters" in pipeline.inputs()}
    if SEGMENTS in parameter_names(pipeline):
        found |= {file: {_WHERE} for file in _segment_files(project)}
    pending = list(_direct_keys(pipeline, catalog))
    known = set(pending)
    while pending:
        key = pending.pop()
        for file, content in files[key.kind].items():
            value = _select(content, key.name)
            if value is not _MISSING:
                found.setdefault(file, set()).add(key.name if _is_addressable(key) else "")
                new = set(_references(key, value)) - known
                pending += new
                known |= new
    files_in_order = sorted(found, key=lambda file: (layer_of(file), file))  # as Kedro reads them
    return {file: None if "" in found[file] else sorted(found[file]) for file in files_in_order}


def read_values(keys: Mapping[str, list[str] | None], project: Path) -> list[Any]:
    """The values of keys by file, as `read_keys` returns them, without resolving references."""
    contents = {file: load_file(project / file) for file in keys}
    return [
        contents[file] if names is None else _select(contents[file], name)
        for file, names in keys.items()
        for name in names or [""]
    ]


def parameter_names(pipeline: Pipeline) -> list[str]:
    """The dotted names of the parameters that nodes take."""
    return sorted(name.removeprefix("params:") for name in pipeline.inputs() if name.startswith("params:"))


def class_names(values: Any) -> Iterator[str]:
    """The dotted names under the key `class`, at any depth of some parameters."""
    for item in values.values() if isinstance(values, dict) else values:
        if isinstance(item, dict | list):
            yield from class_names(item)
    if isinstance(values, dict) and isinstance(values.get("class"), str):
        yield values["class"]


def tracked_datasets(pipeline: Pipeline, catalog: Catalog) -> list[str]:
    """The datasets whose files DVC tracks as dependencies or outputs of a pipeline."""
    names = (name for name in pipeline.datasets() if name != "parameters" and not name.startswith("params:"))
    return sorted(name for name in names if catalog.path(name) and catalog.output_type(name) != "ignored")


def _direct_keys(pipeline: Pipeline, catalog: Catalog) -> Iterator[_Key]:
    yield from (_Key("parameters", name) for name in parameter_names(pipeline))
    for name in tracked_datasets(pipeline, catalog):
        entry = catalog.entry_name(name)
        if entry is not None:
            yield _Key("catalog", entry)


def _segment_files(project: Path) -> list[str]:
    """The files of models that say which rows of the table each is for."""
    layers = (f"{MODELS}/{name}" for name in model_names(project / "conf"))
    files = (path for layer in layers for path in conf_files(project, layer, "parameters"))
    return [file for file in files if _select(load_file(project / file), _WHERE) is not _MISSING]


def _read(project: Path, environments: Iterable[str], kind: str) -> dict[str, dict[str, Any]]:
    paths = [path for environment in environments for path in conf_files(project, environment, kind)]
    return {path: load_file(project / path) for path in paths}


def _select(content: Mapping[str, Any], name: str) -> Any:
    """The value of a key: as a whole, or dotted."""
    if name in content:
        return content[name]
    value: Any = content
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _is_addressable(key: _Key) -> bool:
    """Whether DVC can track the key alone: it takes dots for nested keys, and some characters for wildcards."""
    return key.kind != "catalog" or not set(key.name) & set(".*?[]")


def _references(key: _Key, value: Any) -> Iterator[_Key]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _references(key, item)
    elif isinstance(value, str):
        for resolver, dots, name in _REFERENCE.findall(value):
            if not resolver:  # a relative reference stays within the top-level key
                yield _Key(key.kind, key.name.partition(".")[0] if dots else name)
            elif resolver in ("params", "globals"):
                yield _Key("parameters" if resolver == "params" else resolver, name)
