"""Wiring of training: from features to the estimator, its fallback, the guard, the decision and the profile."""

from kedro.pipeline import Pipeline, node
from kedro_tabular.evaluation import choose_decision
from kedro_tabular.monitoring import profile_reference

from .nodes import fit_guard, train_estimator, train_fallback


def create_pipeline() -> Pipeline:
    """Features, training and calibration table in; `model`, `fallback`, `guard`, `decision` and `profile` out."""
    return Pipeline(
        [
            node(
                train_estimator,
                inputs=["train_features", "train_table", "params:table", "params:estimator", "params:seed"],
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
                    "params:table",
                    "params:guard",
                ],
                outputs="guard",
                name="fit_guard",
            ),
            node(
                choose_decision,
                inputs=[
                    "calibration_table",
                    "preprocessor",
                    "model",
                    "guard",
                    "fallback",
                    "params:table",
                    "params:decision",
                ],
                outputs="decision",
                name="choose_decision",
            ),
            node(
                profile_reference,
                inputs=[
                    "calibration_table",
                    "preprocessor",
                    "model",
                    "guard",
                    "fallback",
                    "params:table",
                    "params:features.datetime_parts",
                    "params:evaluation.calibration_bins",
                    "params:profile",
                    "params:seed",
                    "decision",
                ],
                outputs="profile",
                name="profile_reference",
            ),
        ]
    )
