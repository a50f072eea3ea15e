"""Wiring of the packaging: fitted objects to a registered version."""

from kedro.pipeline import Pipeline, node

from .nodes import check_thresholds, package_model


def create_pipeline() -> Pipeline:
    """`preprocessor`, `model`, `metrics` and `report` in; a registered version out."""
    return Pipeline(
        [
            node(
                check_thresholds,
                inputs=["metrics", "params:packaging"],
                outputs="objections",
                name="check_thresholds",
            ),
            node(
                package_model,
                inputs=[
                    "preprocessor",
                    "model",
                    "test_table",
                    "objections",
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
