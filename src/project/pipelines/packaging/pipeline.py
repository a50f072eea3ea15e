"""Wiring of packaging: from fitted objects, through the gate, to a registered version."""

from kedro.pipeline import Pipeline, node
from kedro_tabular.gate import apply_rules, compare_models, measure_cost, package_model, write_report


def create_pipeline() -> Pipeline:
    """The fitted objects and their evaluation in; the verdict, the report and a registered version out."""
    return Pipeline(
        [
            node(
                compare_models,
                inputs=[
                    "champion",
                    "test_table",
                    "test_predictions",
                    "params:table",
                    "params:gate",
                    "params:evaluation.calibration_bins",
                    "params:seed",
                ],
                outputs="comparison",
                name="compare_models",
            ),
            node(
                measure_cost,
                inputs=["preprocessor", "model", "guard", "fallback", "model_sizes", "test_table", "params:table"],
                outputs="cost",
                name="measure_cost",
            ),
            node(
                apply_rules, inputs=["metrics", "comparison", "cost", "params:gate"], outputs="gate", name="apply_rules"
            ),
            node(
                write_report,
                inputs={
                    "gate": "gate",
                    "comparison": "comparison",
                    "metrics": "metrics",
                    "plots": "plots",
                    "importance_plot": "importance_plot",
                    "guard_assessment": "guard_assessment",
                    "guard_plot": "guard_plot",
                    "data_versions": "data_versions",
                    "contract": "params:table",
                    "split": "params:split",
                    "features": "params:features",
                    "estimator": "params:estimator",
                    "guard": "params:guard",
                    "fallback": "params:fallback",
                    "seed": "params:seed",
                },
                outputs="report",
                name="write_report",
            ),
            node(
                package_model,
                inputs=[
                    "preprocessor",
                    "model",
                    "guard",
                    "fallback",
                    "profile",
                    "test_table",
                    "gate",
                    "report",
                    "params:table",
                    "params:packaging",
                    "params:trusted_types",
                ],
                outputs="registered_model",
                name="package_model",
            ),
        ]
    )
