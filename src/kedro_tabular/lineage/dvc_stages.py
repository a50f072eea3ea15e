"""dvc.yaml, generated from the Kedro pipelines and the catalog, so that nobody has to maintain it.

A stage is one pipeline of `train`. Its dependencies are the files it reads and the code it uses, its outputs
the files it writes, its parameters the keys of conf/ that it reads.
"""

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from kedro.pipeline import Pipeline

from ..files import load_yaml
from ..kedro_project import package_name
from ..parameters import ParameterError
from .catalog import Catalog
from .conf_keys import class_names, read_keys, read_values
from .modules import LIBRARY, defining_module, import_closure, package_folder

HEADER = """\
# Written by `kedro dvc sync` from the pipelines, the catalog and {conf}: change those, not this file.
#   dvc repro            run what has changed, and what depends on it
#   dvc dag              show the stages
#   dvc metrics diff     compare the metrics with those of the last commit
#   dvc exp run -S conf/base/parameters_training.yml:estimator.kwargs.max_iter=100
"""


def render_dvc_yaml(
    pipelines: dict[str, Pipeline], config: dict[str, Any], project: Path, environment: str | None = None
) -> str:
    """The text of dvc.yaml for these pipelines, in this order.

    Args:
        pipelines: the pipeline of each stage by name.
        config: the catalog's configuration, resolved, with paths relative to the project.
        project: the folder with the conf/ that the stages read.
        environment: the folder of conf/ that stages read beside conf/base, and DVC tracks; none by default.

    Raises:
        ParameterError: a node takes a parameter or a dataset of another stage that no file has.
    """
    catalog = Catalog(config)
    made: set[str] = set()
    conf = f"conf/base and conf/{environment}" if environment else "conf/base"
    blocks = [HEADER.format(conf=conf) + "stages:"]
    for name, pipeline in pipelines.items():
        stage = _stage(name, pipeline, catalog, project, environment)
        missing = [i for i in _datasets(pipeline.inputs()) if i in made and catalog.path(i) is None]
        if missing:
            raise ParameterError(
                f"{name} takes {', '.join(missing)} of an earlier stage: give it a filepath in the catalog"
            )
        made |= set(pipeline.all_outputs())
        text = yaml.safe_dump({name: stage}, sort_keys=False, width=120)
        blocks.append("".join(f"  {line}\n" for line in [f"# {_summary(name)}", *text.splitlines()]))
    return "\n".join(blocks)


def tracked_environment(dvc_yaml: str) -> str | None:
    """The environment with which the stages of this text of dvc.yaml run; None if it is conf/base alone."""
    stages = (load_yaml(dvc_yaml) or {}).get("stages", {})
    found = (re.search(r" --env=(\S+)", str(stage.get("cmd"))) for stage in stages.values())
    return next((match[1] for match in found if match), None)


def _stage(name: str, pipeline: Pipeline, catalog: Catalog, project: Path, environment: str | None) -> dict[str, Any]:
    inputs, outputs = _datasets(pipeline.inputs()), _datasets(pipeline.all_outputs())
    paths = [path for path in map(catalog.path, inputs) if path]
    keys = read_keys(pipeline, catalog, project, ["base", environment] if environment else ["base"])
    classes = [path for dataset in inputs | outputs for path in catalog.class_paths(dataset)]
    classes += class_names(read_values(keys, project))
    # `kedro run` that starts faster; the folder and not the package, which may be installed from another folder
    command = f"python src/{package_name()} --pipelines={name}"
    stage: dict[str, Any] = {
        "cmd": f"{command} --env={environment}" if environment else command,
        # data, the project, the library: an order that does not depend on the name of the project's package
        "deps": sorted({*paths, *_code(name, classes)}, key=lambda path: (f"/{LIBRARY}/" in path, path)),
        "params": [{file: names} for file, names in keys.items()],
    }
    for dataset in sorted(outputs):
        path, output_type = catalog.path(dataset), catalog.output_type(dataset)
        if path and output_type != "ignored":
            stage.setdefault(output_type, []).append(path)
    return {key: value for key, value in stage.items() if value}


def _datasets(names: Iterable[str]) -> set[str]:
    return {name for name in names if name != "parameters" and not name.startswith("params:")}


def _code(name: str, classes: Iterable[str]) -> Iterator[str]:
    """The pipeline's folder, and the modules of both packages that it or its datasets import, directly or not.

    The `__init__.py` of a package only exports names, and is left out.
    """
    package = f"{package_name()}.pipelines.{name}"
    folder = _folder(name)
    own = [f"{package}.{path.stem}" for path in folder.glob("*.py")]
    modules = import_closure([package, *own, *map(defining_module, classes)])
    files = (path for path in modules.values() if folder not in path.parents and path.name != "__init__.py")
    root = package_folder(str(package_name())).parents[1]  # of the code that runs
    for path in {folder, *files}:
        if path.is_relative_to(root):  # an installed library is in the lock file
            yield path.relative_to(root).as_posix()


def _folder(name: str) -> Path:
    return package_folder(str(package_name())) / "pipelines" / name


def _summary(name: str) -> str:
    create_pipeline = import_module(f"{package_name()}.pipelines.{name}").create_pipeline
    return (create_pipeline.__doc__ or name).splitlines()[0]
