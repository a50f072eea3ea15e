"""Wiring of training: from features to the estimator, its fallback, the guard, the decision and the profile."""

from kedro.pipeline import Pipeline, node
from kedro_tabular.evaluation import choose_decision
from kedro_tabular.monitoring import profile_reference

from .nodes import fit_guard, train_estimator, train_fallback

_CALIBRATION = ["calibration_table", "preprocessor", "model", "guard", "fallback", "params:table"]


def create_pipeline() -> Pipeline:
    """Features, training and calibration table in; `model`, `fallback`, `guard`, `decision` and `profile` out."""
    table, seed = "params:table", "params:seed"
    guarded = ["train_table", "train_features", "calibration_table", "preprocessor", "model", table, "params:guard"]
    bins = ["params:features.datetime_parts", "params:evaluation.calibration_bins"]
    profiled = [*_CALIBRATION, *bins, "params:profile", seed, "decision"]
    return Pipeline(
        [
            node(
                train_estimator,
                ["train_features", "train_table", table, "params:estimator", seed],
                "model",
                name="train_estimator",
            ),
            node(train_fallback, ["train_table", table, "params:fallback", seed], "fallback", name="train_fallback"),
            node(fit_guard, guarded, "guard", name="fit_guard"),
            node(choose_decision, [*_CALIBRATION, "params:decision"], "decision", name="choose_decision"),
            node(profile_reference, profiled, "profile", name="profile_reference"),
        ]
    )
