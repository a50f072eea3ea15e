"""The pipelines that `kedro run --pipeline=NAME` knows."""

from importlib import import_module
from pkgutil import iter_modules

from kedro.pipeline import Pipeline

from . import pipelines

# `train` runs these in a row. One whose folder is deleted drops out.
TRAIN = ("ingestion", "data_prep", "feature_engineering", "training", "evaluation", "packaging")


def register_pipelines() -> dict[str, Pipeline]:
    """Every folder in pipelines/ by its name, `train`, and `train` again as the default."""
    # Not Kedro's find_pipelines: asked for `train`, it looks for a folder of that name and fails.
    found: dict[str, Pipeline] = {
        module.name: import_module(f".{module.name}", pipelines.__name__).create_pipeline()
        for module in iter_modules(pipelines.__path__)
    }
    train = sum((found[name] for name in TRAIN if name in found), start=Pipeline([]))
    return {**found, "train": train, "__default__": train}
