"""The pipelines that `kedro run --pipeline=NAME` knows."""

from importlib import import_module
from pkgutil import iter_modules

from kedro.framework import project
from kedro.pipeline import Pipeline

from . import pipelines

# `train` runs these in a row, and each is a stage of dvc.yaml. One whose folder is deleted drops out.
TRAIN = ("ingestion", "data_prep", "feature_engineering", "training", "evaluation", "packaging")


def register_pipelines() -> dict[str, Pipeline]:
    """Every folder in pipelines/ by its name, `train`, and `train` again as the default."""
    # Not Kedro's find_pipelines: asked for `train`, it looks for a folder of that name and fails.
    folders = [module.name for module in iter_modules(pipelines.__path__)]
    asked_for = requested(folders)
    if asked_for:
        return {name: _create(name) for name in asked_for}
    found = {name: _create(name) for name in folders}
    train = sum((found[name] for name in TRAIN if name in found), start=Pipeline([]))
    return {**found, "train": train, "__default__": train}


def requested(folders: list[str]) -> list[str]:
    """What `kedro run` asks for if these are folders: a stage then imports no libraries of the others."""
    names = getattr(project.pipelines, "_requested_pipelines", None) or []
    return list(names) if set(names) <= set(folders) else []


def _create(name: str) -> Pipeline:
    created: Pipeline = import_module(f".{name}", pipelines.__name__).create_pipeline()
    return created
