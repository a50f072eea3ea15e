"""The pipelines that `kedro run --pipeline=NAME` knows."""

from kedro.pipeline import Pipeline

from kedro_tabular.project import find_pipelines

from . import pipelines

# `train` runs these in a row, and each is a stage of dvc.yaml. One whose folder is deleted drops out.
TRAIN = ("ingestion", "data_prep", "feature_engineering", "training", "evaluation", "packaging")


def register_pipelines() -> dict[str, Pipeline]:
    """Every folder in pipelines/ by its name, `train`, and `train` again as the default."""
    found = find_pipelines(pipelines)
    train = sum((found[name] for name in TRAIN if name in found), start=Pipeline([]))
    return {**found, "train": train, "__default__": train}
