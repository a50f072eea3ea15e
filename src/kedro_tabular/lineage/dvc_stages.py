"""dvc.yaml, generated from the Kedro pipelines and the catalog, so that nobody has to maintain it.

A stage is one pipeline of `train`. Its dependencies are the files it reads and the code it uses, its outputs
the files it writes, its parameters the keys its nodes take.
"""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from kedro.pipeline import Pipeline

from ..kedro_project import package_name
from ..parameters import ParameterError
from .catalog import Catalog
from .modules import LIBRARY, defining_module, import_closure, package_folder

HEADER = """\
# Written by `kedro dvc sync` from the pipelines, the catalog and conf/base: change those, not this file.
#   dvc repro            run what has changed, and what depends on it
#   dvc dag              show the stages
#   dvc metrics diff     compare the metrics with those of the last commit
#   dvc exp run -S conf/base/parameters_training.yml:estimator.kwargs.max_iter=100
"""


def render_dvc_yaml(pipelines: dict[str, Pipeline], config: dict[str, Any], project: Path) -> str:
    """The text of dvc.yaml for these pipelines, in this order.

    Args:
        pipelines: the pipeline of each stage by name.
        config: the catalog's configuration, resolved, with paths relative to the project.
        project: the project's folder.

    Raises:
        ParameterError: a node takes a parameter or a dataset of another stage that no file has.
    """
    catalog = Catalog(config)
    parameter_files = _parameter_files(project)
    made: set[str] = set()
    blocks = [HEADER + "stages:"]
    for name, pipeline in pipelines.items():
        stage = _stage(name, pipeline, catalog, parameter_files, project)
        missing = [i for i in _datasets(pipeline.inputs()) if i in made and catalog.path(i) is None]
        if missing:
            raise ParameterError(
                f"{name} takes {', '.join(missing)} of an earlier stage: give it a filepath in the catalog"
            )
        made |= set(pipeline.all_outputs())
        text = yaml.safe_dump({name: stage}, sort_keys=False, width=120)
        blocks.append("".join(f"  {line}\n" for line in [f"# {_summary(name)}", *text.splitlines()]))
    return "\n".join(blocks)


def _stage(
    name: str, pipeline: Pipeline, catalog: Catalog, parameter_files: dict[str, str], project: Path
) -> dict[str, Any]:
    inputs, outputs = _datasets(pipeline.inputs()), _datasets(pipeline.all_outputs())
    paths = [path for path in map(catalog.path, inputs) if path]
    classes = [path for dataset in inputs | outputs for path in catalog.class_paths(dataset)]
    stage: dict[str, Any] = {
        "cmd": f"python -m {package_name()} --pipelines={name}",  # `kedro run` that starts faster
        # data, the project, the library: an order that does not depend on the name of the project's package
        "deps": sorted({*paths, *_code(name, classes, project)}, key=lambda path: (f"/{LIBRARY}/" in path, path)),
        "params": _params(pipeline, parameter_files),
    }
    for dataset in sorted(outputs):
        path, output_type = catalog.path(dataset), catalog.output_type(dataset)
        if path and output_type != "ignored":
            stage.setdefault(output_type, []).append(path)
    return {key: value for key, value in stage.items() if value}


def _datasets(names: Iterable[str]) -> set[str]:
    return {name for name in names if name != "parameters" and not name.startswith("params:")}


def _parameter_files(project: Path) -> dict[str, str]:
    """The file of conf/base with each top-level parameter."""
    return {
        key: path.relative_to(project).as_posix()
        for path in sorted((project / "conf" / "base").glob("parameters*.yml"))
        for key in yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    }


def _params(pipeline: Pipeline, parameter_files: dict[str, str]) -> list[dict[str, list[str]]]:
    by_file: dict[str, list[str]] = {}
    for name in sorted(name.removeprefix("params:") for name in pipeline.inputs() if name.startswith("params:")):
        file = parameter_files.get(name.partition(".")[0])
        if file is None:
            raise ParameterError(f"no conf/base/parameters*.yml has the key {name} that a node takes")
        by_file.setdefault(file, []).append(name)
    return [{file: by_file[file]} for file in sorted(by_file)]


def _code(name: str, classes: Iterable[str], project: Path) -> Iterator[str]:
    """The pipeline's folder, and the modules of both packages that it or its datasets import, directly or not.

    The `__init__.py` of a package only exports names, and is left out.
    """
    package = f"{package_name()}.pipelines.{name}"
    folder = _folder(name)
    own = [f"{package}.{path.stem}" for path in folder.glob("*.py")]
    modules = import_closure([package, *own, *map(defining_module, classes)])
    files = (path for path in modules.values() if folder not in path.parents and path.name != "__init__.py")
    for path in {folder, *files}:
        if path.is_relative_to(project):  # an installed library is in the lock file
            yield path.relative_to(project).as_posix()


def _folder(name: str) -> Path:
    return package_folder(str(package_name())) / "pipelines" / name


def _summary(name: str) -> str:
    create_pipeline = import_module(f"{package_name()}.pipelines.{name}").create_pipeline
    return (create_pipeline.__doc__ or name).splitlines()[0]
