"""dvc.yaml, written from the Kedro pipelines and the catalog, so that it is never kept by hand.

A stage is one pipeline of `train`. Its dependencies are the files it reads and the code it uses, its outputs
the files it writes, its parameters the keys its nodes take.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from kedro.pipeline import Pipeline

from ..parameters import ParameterError
from ..project import package_name
from .catalog import Catalog
from .modules import closure, defining_module, package_folder

HEADER = """\
# Written by `kedro dvc sync` from the pipelines, the catalog and conf/base: change those, not this file.
#   dvc repro            run what has changed, and what depends on it
#   dvc dag              show the stages
#   dvc metrics diff     compare the metrics with those of the last commit
#   dvc exp run -S conf/base/parameters_training.yml:estimator.kwargs.max_iter=100
"""


def write_stages(pipelines: dict[str, Pipeline], catalog: dict[str, Any], project_path: Path) -> str:
    """The text of dvc.yaml for these pipelines, in this order.

    Args:
        pipelines: the pipeline of each stage by name.
        catalog: the catalog's configuration, resolved, with paths relative to the project.
        project_path: the project's folder.

    Raises:
        ParameterError: a stage takes what no file holds.
    """
    files = Catalog(catalog)
    keys = _parameter_files(project_path)
    made: set[str] = set()
    blocks = [HEADER + "stages:"]
    for name, pipeline in pipelines.items():
        stage = _stage(name, pipeline, files, keys, project_path)
        missing = [i for i in _data(pipeline.inputs()) if i in made and files.path(i) is None]
        if missing:
            raise ParameterError(
                f"{name} takes {', '.join(missing)} of an earlier stage: give it a filepath in the catalog"
            )
        made |= set(pipeline.all_outputs())
        text = yaml.safe_dump({name: stage}, sort_keys=False, width=120)
        blocks.append("".join(f"  {line}\n" for line in [f"# {_summary(name)}", *text.splitlines()]))
    return "\n".join(blocks)


def _stage(name: str, pipeline: Pipeline, files: Catalog, keys: dict[str, str], project_path: Path) -> dict[str, Any]:
    inputs, outputs = _data(pipeline.inputs()), _data(pipeline.all_outputs())
    read = [path for path in map(files.path, inputs) if path]
    classes = [path for dataset in inputs | outputs for path in files.classes(dataset)]
    stage: dict[str, Any] = {
        "cmd": f"python -m {package_name()} --pipelines={name}",  # `kedro run` that starts faster
        "deps": sorted({*read, *_code(name, classes, project_path)}),
        "params": _params(pipeline, keys),
    }
    for dataset in sorted(outputs):
        path, kind = files.path(dataset), files.kind(dataset)
        if path and kind != "ignored":
            stage.setdefault(kind, []).append(path)
    return {key: value for key, value in stage.items() if value}


def _data(names: Iterable[str]) -> set[str]:
    return {name for name in names if name != "parameters" and not name.startswith("params:")}


def _parameter_files(project_path: Path) -> dict[str, str]:
    """Which file of conf/base each top-level parameter stands in."""
    return {
        key: path.relative_to(project_path).as_posix()
        for path in sorted((project_path / "conf" / "base").glob("parameters*.yml"))
        for key in yaml.safe_load(path.read_text()) or {}
    }


def _params(pipeline: Pipeline, keys: dict[str, str]) -> list[dict[str, list[str]]]:
    by_file: dict[str, list[str]] = {}
    for name in sorted(name.removeprefix("params:") for name in pipeline.inputs() if name.startswith("params:")):
        file = keys.get(name.partition(".")[0])
        if file is None:
            raise ParameterError(f"no conf/base/parameters*.yml has the key {name} that a node takes")
        by_file.setdefault(file, []).append(name)
    return [{file: by_file[file]} for file in sorted(by_file)]


def _code(name: str, classes: Iterable[str], project_path: Path) -> Iterator[str]:
    """The pipeline's folder, and the modules of both packages that it or its datasets import, directly or not.

    What a package only hands on (`__init__.py`) computes nothing, and is left out.
    """
    package = f"{package_name()}.pipelines.{name}"
    folder = _folder(name)
    inside = [f"{package}.{path.stem}" for path in folder.glob("*.py")]
    used = closure([package, *inside, *map(defining_module, classes)])
    files = (path for path in used.values() if folder not in path.parents and path.name != "__init__.py")
    for path in {folder, *files}:
        if path.is_relative_to(project_path):  # a library that is installed is in the lock file
            yield path.relative_to(project_path).as_posix()


def _folder(name: str) -> Path:
    return package_folder(str(package_name())) / "pipelines" / name


def _summary(name: str) -> str:
    module = ast.parse((_folder(name) / "pipeline.py").read_text(encoding="utf-8"))
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    described = next((ast.get_docstring(f) for f in functions if f.name == "create_pipeline"), None)
    return (described or name).splitlines()[0]
