"""The Kedro project that the library runs in: its package, its pipelines, its own modules and its conf/."""

import os
from collections.abc import Iterable
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.framework import project
from kedro.pipeline import Pipeline
from omegaconf import DictConfig, OmegaConf

TRAIN = "train"  # the pipeline whose parts are the stages of dvc.yaml


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader of conf/, in whose other files `${params:table.name}` is a value of the parameters.

    In mlflow.yml `${env:NAME,DEFAULT}` is an environment variable; nowhere else, where DVC would not see it.
    The loader registers these resolvers and not a hook: tools such as `kedro viz run` read the catalog without hooks.
    """

    _parameters: DictConfig | None = None  # read when they are needed

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of a kind, such as `catalog`."""
        if key == "parameters":
            OmegaConf.clear_resolver("params")  # they refer to each other by `${table.name}`
        elif key != "globals":  # which is read first
            if self._parameters is None:
                self._parameters = OmegaConf.create(self["parameters"])
            # OmegaConf has one resolver of a name for all loaders of a process: set it to that of this one.
            OmegaConf.register_new_resolver("params", self._parameter, replace=True)
        if key == "mlflow":
            OmegaConf.register_new_resolver("env", os.environ.get, replace=True)
        try:
            return super().__getitem__(key)
        finally:
            OmegaConf.clear_resolver("env")

    def __setitem__(self, key: str, value: Any) -> None:
        self._parameters = None
        super().__setitem__(key, value)

    def _parameter(self, key: str) -> Any:
        assert self._parameters is not None
        return OmegaConf.select(self._parameters, key)


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
    name has no folder, such as a sum of pipelines.
    """
    folders = [module.name for module in iter_modules(package.__path__)]
    names = requested_pipelines(folders) or folders
    return {name: import_module(f"{package.__name__}.{name}").create_pipeline() for name in names}


def requested_pipelines(names: list[str]) -> list[str]:
    """The pipelines that `kedro run` was called with, if all of them are among these names; else none."""
    # Kedro has no public name for it; tested in test_kedro_project.py.
    requested = getattr(project.pipelines, "_requested_pipelines", None) or []
    return list(requested) if set(requested) <= set(names) else []


def read_conf(project_path: Path, environment: str | None = None) -> ConfigLoader:
    """The configuration of a project as a session reads it, with a folder of conf/ beside conf/base.

    By default it is the folder that the variable KEDRO_ENV names, else conf/local. With `base` it is conf/base alone.
    """
    arguments = {**project.settings.CONFIG_LOADER_ARGS, "env": environment or os.environ.get("KEDRO_ENV")}
    return ConfigLoader(str(project_path / project.settings.CONF_SOURCE), **arguments)


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


def find_producers() -> dict[str, str]:
    """The pipeline that makes each dataset, of those datasets that a pipeline makes."""
    parts = {name: pipeline for name, pipeline in project.pipelines.items() if name not in (TRAIN, "__default__")}
    return {output: name for name, pipeline in parts.items() for output in pipeline.all_outputs()}
