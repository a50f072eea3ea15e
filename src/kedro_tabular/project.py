"""What the library asks of the Kedro project that it runs in: its package, its pipelines and its own modules."""

from collections.abc import Iterable
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

from kedro.framework import project
from kedro.pipeline import Pipeline

TRAIN = "train"  # the pipeline whose parts are the stages of dvc.yaml


def package_name() -> str | None:
    """The project's package; None outside a project."""
    return project.PACKAGE_NAME


def own_module(name: str) -> ModuleType | None:
    """A module of the project's package, such as `metrics`; None where there is none."""
    package = package_name()
    if package is None or find_spec(f"{package}.{name}") is None:
        return None
    return import_module(f"{package}.{name}")


def trust_own_types(trusted: Iterable[str]) -> list[str]:
    """Types that stored objects may be made of, with those of the project's package: its code runs anyway."""
    package = package_name()
    return [*trusted, *([f"{package}.*"] if package else [])]


def find_pipelines(package: ModuleType) -> dict[str, Pipeline]:
    """The pipeline of each folder of a package by name; of those that a run asks for alone, only these.

    A stage that runs by itself then does not import the libraries of the others. Unlike Kedro's function of this
    name it takes a name that is no folder, such as a sum of pipelines, for a request of all.
    """
    folders = [module.name for module in iter_modules(package.__path__)]
    return {name: _create(package, name) for name in requested(folders) or folders}


def requested(names: list[str]) -> list[str]:
    """The pipelines that `kedro run` asks for, if all of them are among these; else none."""
    # No public attribute tells: a test fails when this one goes.
    asked = getattr(project.pipelines, "_requested_pipelines", None) or []
    return list(asked) if set(asked) <= set(names) else []


def _create(package: ModuleType, name: str) -> Pipeline:
    created: Pipeline = import_module(f"{package.__name__}.{name}").create_pipeline()
    return created


def train_stages() -> dict[str, Pipeline]:
    """The pipelines that `train` is the sum of, in the order of the data flow."""
    registered = dict(project.pipelines)
    nodes = {node.name for node in registered.get(TRAIN, Pipeline([])).nodes}
    stages = {
        name: pipeline
        for name, pipeline in registered.items()
        if name not in (TRAIN, "__default__") and {node.name for node in pipeline.nodes} <= nodes
    }
    sources = {
        name: [other for other in stages if other != name and stages[other].all_outputs() & pipeline.inputs()]
        for name, pipeline in stages.items()
    }
    return {name: stages[name] for name in TopologicalSorter(sources).static_order()}
