"""The pipelines that `kedro run --pipeline=NAME` knows."""

from kedro.pipeline import Pipeline
from kedro_tabular.kedro_project import find_pipelines

from . import pipelines

# The parts of `train` in their order; each is a stage of dvc.yaml. A part whose folder is deleted is left out.
TRAIN = ("ingestion", "data_prep", "feature_engineering", "training", "evaluation", "packaging")


def register_pipelines() -> dict[str, Pipeline]:
    """The pipeline of each folder in pipelines/ by name, and `train`, their sum, which is also the default."""
    found = find_pipelines(pipelines)
    train = sum((found[name] for name in TRAIN if name in found), start=Pipeline([]))
    return {**found, "train": train, "__default__": train}
