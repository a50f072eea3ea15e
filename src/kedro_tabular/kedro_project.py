"""The Kedro project that the library runs in: its package, its pipelines and its own modules."""

import os
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from kedro.framework import project
from kedro.pipeline import Pipeline

TRAIN = "train"  # the pipeline whose parts are the stages of dvc.yaml
TABLE = "table"  # the dataset that each model is trained on, or on rows of it
SHARED_TABLE = "shared_table"  # in the catalog of a model of some rows: the table that they are picked from
SEGMENTS = "segments"  # the pipeline that writes the rows of each model whose `table.where` picks some
MODEL_VARIABLE = "KEDRO_MODEL"  # the environment variable that chooses a model of conf/models


def __getattr__(name: str) -> Any:
    """`ConfigLoader`, which settings.py of an earlier release takes from here."""
    if name != "ConfigLoader":
        raise AttributeError(name)
    return import_module(f"{__package__}.config").ConfigLoader  # no import that the code of a model would depend on


def package_name() -> str | None:
    """The project's package; None outside a project."""
    return project.PACKAGE_NAME


def project_module(name: str) -> ModuleType | None:
    """A module of the project's package, such as `metrics`; None if there is none."""
    package = package_name()
    if package is None or find_spec(f"{package}.{name}") is None:
        return None
    return import_module(f"{package}.{name}")


def add_project_types(trusted: Iterable[str]) -> list[str]:
    """Trusted types of stored objects, and all types of the project's package: its code runs anyway."""
    package = package_name()
    return [*trusted, *([f"{package}.*"] if package else [])]


def find_pipelines(package: ModuleType) -> dict[str, Pipeline]:
    """The pipeline of each folder of a package by name; only the requested pipelines, if all of them are folders.

    A stage then does not import the libraries of the others. Kedro's function of this name finds nothing if a requested
    name has no folder, such as a sum of pipelines. If a model is chosen, the pipelines that all models share are left
    out, unless they are requested.
    """
    folders = [module.name for module in iter_modules(package.__path__)]
    requested = requested_pipelines(folders)
    found = {name: import_module(f"{package.__name__}.{name}").create_pipeline() for name in requested or folders}
    shared = shared_pipelines(found) if os.environ.get(MODEL_VARIABLE) and not requested else []
    return {name: pipeline for name, pipeline in found.items() if name not in shared}


def shared_pipelines(pipelines: Mapping[str, Pipeline]) -> list[str]:
    """The pipelines that all models share, in the order of the data flow: what makes the table, and its segments."""
    parts = {name: pipeline for name, pipeline in pipelines.items() if name not in (TRAIN, "__default__")}
    making: dict[str, Pipeline] = {}
    needed = {TABLE}
    while found := {name: part for name, part in parts.items() if name not in making and part.all_outputs() & needed}:
        making |= found
        needed |= {dataset for part in found.values() for dataset in part.inputs()}
    return [*_in_order(making), *([SEGMENTS] if SEGMENTS in parts else [])]


def requested_pipelines(names: list[str]) -> list[str]:
    """The pipelines that `kedro run` was called with, if all of them are among these names; else none."""
    # Kedro has no public name for it; tested in test_kedro_project.py.
    requested = getattr(project.pipelines, "_requested_pipelines", None) or []
    return list(requested) if set(requested) <= set(names) else []


def train_stages() -> dict[str, Pipeline]:
    """The pipelines that `train` is the sum of, in the order of the data flow."""
    registered = dict(project.pipelines)
    nodes = {node.name for node in registered.get(TRAIN, Pipeline([])).nodes}
    stages = {
        name: pipeline
        for name, pipeline in registered.items()
        if name not in (TRAIN, "__default__") and {node.name for node in pipeline.nodes} <= nodes
    }
    return {name: stages[name] for name in _in_order(stages)}


def _in_order(pipelines: Mapping[str, Pipeline]) -> list[str]:
    """The names in the order of the data flow."""
    sources = {
        name: [other for other in pipelines if other != name and pipelines[other].all_outputs() & pipeline.inputs()]
        for name, pipeline in pipelines.items()
    }
    return list(TopologicalSorter(sources).static_order())


def find_producers() -> dict[str, str]:
    """The pipeline that makes each dataset, of those datasets that a pipeline makes."""
    parts = {name: pipeline for name, pipeline in project.pipelines.items() if name not in (TRAIN, "__default__")}
    return {output: name for name, pipeline in parts.items() for output in pipeline.all_outputs()}
