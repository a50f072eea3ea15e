"""Wiring of the training: features to the fitted estimator, its fallback and the guard."""

from kedro.pipeline import Pipeline, node

from .nodes import fit_guard, train_estimator, train_fallback


def create_pipeline() -> Pipeline:
    """`train_features`, `train_table` and `calibration_table` in; `model`, `fallback` and `guard` out."""
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
            ),
            node(
                train_fallback,
                inputs=["train_table", "params:table", "params:fallback", "params:seed"],
                outputs="fallback",
                name="train_fallback",
            ),
            node(
                fit_guard,
                inputs=[
                    "train_table",
                    "train_features",
                    "calibration_table",
                    "preprocessor",
                    "model",
                    "fallback",
                    "params:table",
                    "params:guard",
                ],
                outputs="guard",
                name="fit_guard",
            ),
        ]
    )
