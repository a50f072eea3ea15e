"""Wiring of monitoring: from scored rows and reference profiles to a verdict, a report and alerts."""

from kedro.pipeline import Pipeline, node
from kedro_tabular.monitoring import assess, decide_alerts, observe, write_report


def create_pipeline() -> Pipeline:
    """`scored_rows` and `profiles` in; `monitoring`, `monitoring_report` and `alerts` out."""
    span = ["params:window", "params:since", "params:until", "params:month"]
    return Pipeline(
        [
            node(
                observe,
                inputs=["scored_rows", "profiles", "params:table", *span, "params:monitoring"],
                outputs="observed",
                name="observe",
            ),
            node(
                assess,
                inputs=["observed", "params:monitoring", "params:alerts", "params:fail_on", "params:seed"],
                outputs=["monitoring", "monitored_versions"],
                name="assess",
            ),
            node(
                write_report,
                inputs=["monitoring", "params:table", "params:monitoring"],
                outputs="monitoring_report",
                name="write_report",
            ),
            node(
                decide_alerts,
                inputs=["monitoring", "alert_state", "monitoring_report", "params:table", "params:alerts"],
                outputs="alerts",
                name="decide_alerts",
            ),
        ]
    )
