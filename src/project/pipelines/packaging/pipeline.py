"""Wiring of packaging: from fitted objects, through the gate, to a registered version."""

from kedro.pipeline import Pipeline, node
from kedro_tabular.gate import (
    apply_rules,
    compare_models,
    compare_with_pooled,
    measure_cost,
    package_model,
    write_report,
)

_FITTED = ["preprocessor", "model", "guard", "fallback"]
_TEST = ["test_table", "test_predictions"]
_EVALUATED = ["metrics", "plots", "importance_plot", "guard_assessment", "guard_plot", "decision_assessment"]
_SETTINGS_IN_REPORT = ["split", "features", "estimator", "guard", "fallback", "decision", "packaging", "seed"]


def create_pipeline() -> Pipeline:
    """The fitted objects and their evaluation in; the verdict, the report and a registered version out."""
    bins = "params:evaluation.calibration_bins"
    compared = [*_TEST, "params:table", "params:gate", "params:split", bins, "params:seed"]
    report = {name: name for name in ["gate", "comparison", *_EVALUATED, "data_versions"]} | {
        "contract": "params:table"
    }
    report |= {name: f"params:{name}" for name in _SETTINGS_IN_REPORT}
    to_package = [*_FITTED, "profile", "test_table", "gate", "report"]
    settings = ["params:table", "params:packaging", "params:trusted_types", "decision"]
    return Pipeline(
        [
            node(compare_models, ["champion", *compared], "comparison", name="compare_models"),
            node(compare_with_pooled, ["pooled", *compared], "pooled_comparison", name="compare_with_pooled"),
            node(measure_cost, [*_FITTED, "model_sizes", "test_table", "params:table"], "cost", name="measure_cost"),
            node(
                apply_rules,
                ["metrics", "comparison", "cost", "params:gate", "pooled_comparison"],
                "gate",
                name="apply_rules",
            ),
            node(write_report, report, "report", name="write_report"),
            node(package_model, [*to_package, *settings], "registered_model", name="package_model"),
        ]
    )
