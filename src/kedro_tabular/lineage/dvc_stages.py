"""dvc.yaml, generated from the Kedro pipelines and the catalog, so that nobody has to maintain it.

A stage is one pipeline of `train`. Its dependencies are the files it reads and the code it uses, its outputs
the files it writes, its parameters the keys of conf/ that it reads.
"""

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from kedro.pipeline import Pipeline

from ..config import MODELS, conf_layers, model_folder
from ..files import load_yaml
from ..kedro_project import package_name
from ..parameters import ParameterError
from .catalog import Catalog
from .conf_keys import class_names, conf_files, layer_of, load_file, read_keys, read_values
from .modules import LIBRARY, defining_module, import_closure, package_folder

HEADER = """\
# Written by `kedro dvc sync` from the pipelines, the catalog and {conf}: change those, not this file.
#   dvc repro            run what has changed, and what depends on it
#   dvc dag              show the stages
#   dvc metrics diff     compare the metrics with those of the last commit
#   dvc exp run -S conf/base/parameters_training.yml:estimator.kwargs.max_iter=100
"""
MODEL_HEADER = """\
# Written by `kedro dvc sync` from the pipelines, the catalog and {conf}: change those, not this file.
#   dvc repro conf/models/{model}/dvc.yaml    run what has changed, and what depends on it
#   dvc repro -R conf/models    the same for all models
"""


def render_dvc_yaml(
    pipelines: dict[str, Pipeline],
    config: dict[str, Any],
    project: Path,
    environment: str | None = None,
    model: str = "",
) -> str:
    """The text of dvc.yaml for these pipelines, in this order.

    Args:
        pipelines: the pipeline of each stage by name.
        config: the catalog's configuration, resolved, with paths relative to the project.
        project: the folder with the conf/ that the stages read.
        environment: the folder of conf/ that stages read beside conf/base, and DVC tracks; none by default.
        model: the model of conf/models that the stages are of, beside whose parameters the text is stored.

    Raises:
        ParameterError: a node takes a parameter or a dataset of another stage that no file has.
    """
    catalog = Catalog(config)
    made: set[str] = set()
    layers = conf_layers(model, environment)
    conf = " and ".join(f"conf/{layer}" for layer in layers)
    blocks = [(MODEL_HEADER if model else HEADER).format(conf=conf, model=model) + "stages:"]
    for name, pipeline in pipelines.items():
        stage = _options(name, model, environment) | _stage(name, pipeline, catalog, project, layers)
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


def is_stale(project: Path, model: str) -> bool:
    """Whether the dvc.yaml of a model lacks keys of the model's own files that its stages read, or has others."""
    file = model_folder(project / "conf", model) / "dvc.yaml"
    if not file.exists():
        return True
    tracked = _tracked(file)
    read = {key for path, keys in tracked.items() if layer_of(path) == 0 for key in keys}
    files = (conf_files(project, f"{MODELS}/{model}", kind) for kind in ("parameters", "catalog"))
    own = {path: load_file(project / path) for path in chain(*files)}
    lacking = [
        key
        for path, content in own.items()
        for key in content
        if _overlap(key, read) and not _overlap(key, tracked.get(path, set()))
    ]
    gone = [path for path, keys in tracked.items() if layer_of(path) == 1 and not keys <= _all_keys(own.get(path, {}))]
    return bool(lacking or gone)


def has_lost_model(project: Path) -> bool:
    """Whether the shared stages of the project's dvc.yaml read parameters of a model that is gone."""
    file = project / "dvc.yaml"
    return file.exists() and any(layer_of(path) == 1 and not (project / path).exists() for path in _tracked(file))


def _tracked(file: Path) -> dict[str, set[str]]:
    """The keys of files that the stages of a dvc.yaml read; the key of a whole file is empty."""
    tracked: dict[str, set[str]] = {}
    for stage in load_file(file).get("stages", {}).values():
        for path, keys in (item for entry in stage.get("params", []) for item in entry.items()):
            tracked.setdefault(path, set()).update(keys or [""])
    return tracked


def _overlap(key: str, others: Iterable[str]) -> bool:
    """Whether one of the keys is this one, or within it, or around it."""
    return any(f"{other}.".startswith(f"{key}.") or f"{key}.".startswith(f"{other}.") for other in others)


def _all_keys(values: dict[str, Any], prefix: str = "") -> set[str]:
    """The dotted keys at all depths, and the empty one of the whole."""
    nested = [_all_keys(value, f"{prefix}{key}.") for key, value in values.items() if isinstance(value, dict)]
    return {"", *(f"{prefix}{key}" for key in values)}.union(*nested)


def _options(name: str, model: str, environment: str | None) -> dict[str, Any]:
    """The command of a stage and the folder that it runs in, that of the project."""
    # `kedro run` that starts faster; the folder and not the package, which may be installed from another folder
    command = [f"python src/{package_name()} --pipelines={name}"]
    command += [f"--params=model={model}"] * bool(model) + [f"--env={environment}"] * bool(environment)
    return ({"wdir": "../../.."} if model else {}) | {"cmd": " ".join(command)}


def _stage(name: str, pipeline: Pipeline, catalog: Catalog, project: Path, layers: list[str]) -> dict[str, Any]:
    inputs, outputs = _datasets(pipeline.inputs()), _datasets(pipeline.all_outputs())
    paths = [path for path in map(catalog.path, inputs) if path]
    keys = read_keys(pipeline, catalog, project, layers)
    classes = [path for dataset in inputs | outputs for path in catalog.class_paths(dataset)]
    classes += class_names(read_values(keys, project))
    stage: dict[str, Any] = {
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
