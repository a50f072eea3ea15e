"""Wiring of the evaluation: from the model and the test rows to metrics and plots."""

from kedro.pipeline import Pipeline, node
from kedro_tabular.evaluation import assess_decision, assess_guard

from .nodes import measure_metrics, plot_importance, plot_predictions, predict_test

_FITTED = ["preprocessor", "model", "guard", "fallback"]


def create_pipeline() -> Pipeline:
    """The fitted objects and `test_table` in; metrics, assessments of guard and decision, and plots out."""
    table, settings = "params:table", "params:evaluation"
    assessed = ["test_table", "calibration_table", "test_predictions", *_FITTED, table, settings, "decision"]
    predicted = ["test_predictions", table]
    return Pipeline(
        [
            node(predict_test, ["test_table", *_FITTED, "decision", table], "test_predictions", name="predict_test"),
            node(
                measure_metrics,
                ["test_predictions", "train_table", table, settings],
                ["metrics", "run_metrics"],
                name="measure_metrics",
            ),
            node(assess_guard, assessed, ["guard_assessment", "guard_plot"], name="assess_guard"),
            node(assess_decision, [*predicted, "decision"], "decision_assessment", name="assess_decision"),
            node(plot_predictions, [*predicted, settings], "plots", name="plot_predictions"),
            node(
                plot_importance,
                ["test_table", "preprocessor", "model", table, settings, "params:seed"],
                "importance_plot",
                name="plot_importance",
            ),
        ]
    )
