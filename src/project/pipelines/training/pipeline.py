"""Wiring of the training: features to the fitted estimator."""

from kedro.pipeline import Pipeline, node

from .nodes import train_estimator


def create_pipeline() -> Pipeline:
    """`train_features` and the target of `train_table` in; `model` out."""
    return Pipeline(
        [
            node(
                train_estimator,
                inputs=[
                    "train_features",
                    "train_table",
                    "params:table",
                    "params:estimator",
                    "params:seed",
                ],
                outputs="model",
                name="train_estimator",
            )
        ]
    )
