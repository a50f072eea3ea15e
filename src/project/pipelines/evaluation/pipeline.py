"""Wiring of the evaluation: from the model and the test rows to metrics and plots."""

from kedro.pipeline import Pipeline, node
from kedro_tabular.evaluation import assess_decision, assess_guard

from .nodes import measure_metrics, plot_importance, plot_predictions, predict_test


def create_pipeline() -> Pipeline:
    """The fitted objects and `test_table` in; metrics, assessments of guard and decision, and plots out."""
    return Pipeline(
        [
            node(
                predict_test,
                inputs=["test_table", "preprocessor", "model", "guard", "fallback", "decision", "params:table"],
                outputs="test_predictions",
                name="predict_test",
            ),
            node(
                measure_metrics,
                inputs=["test_predictions", "train_table", "params:table", "params:evaluation"],
                outputs=["metrics", "run_metrics"],
                name="measure_metrics",
            ),
            node(
                assess_guard,
                inputs=[
                    "test_table",
                    "calibration_table",
                    "test_predictions",
                    "preprocessor",
                    "model",
                    "fallback",
                    "guard",
                    "params:table",
                    "params:evaluation",
                    "decision",
                ],
                outputs=["guard_assessment", "guard_plot"],
                name="assess_guard",
            ),
            node(
                assess_decision,
                inputs=["test_predictions", "params:table", "decision"],
                outputs="decision_assessment",
                name="assess_decision",
            ),
            node(
                plot_predictions,
                inputs=["test_predictions", "params:table", "params:evaluation"],
                outputs="plots",
                name="plot_predictions",
            ),
            node(
                plot_importance,
                inputs=["test_table", "preprocessor", "model", "params:table", "params:evaluation", "params:seed"],
                outputs="importance_plot",
                name="plot_importance",
            ),
        ]
    )
