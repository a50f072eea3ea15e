"""The summary of a run in the terminal."""

import logging
import time
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import AlertError
from ..evaluation import BASELINE
from .datasets import CatalogHook

logger = logging.getLogger(__name__)

_METRICS, _REPORT, _MONITORING, _MONITORING_REPORT = "metrics", "report", "monitoring", "monitoring_report"
_MAX_FINDINGS = 10  # in the summary; the report has all


class RunSummary(CatalogHook):
    """Prints a line for each finished node, and the results of an evaluation or of monitoring."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Record when the node starts."""
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Log how long the node took."""
        logger.info("%-17s %5.1f s", node.name, time.perf_counter() - self._started[node.name])

    @hook_impl(trylast=True)  # an alert raises an error, after all other hooks
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Print the results, and what to open next.

        Raises:
            AlertError: monitoring raised an alert of a level that fails the run.
        """
        if _METRICS in pipeline.all_outputs():
            self._print_metrics(catalog.load(_METRICS))
            if _REPORT in pipeline.all_outputs():
                Console().print(f"Next: open {self._path(_REPORT)}, or `make ui` for all runs and models.")
        if _MONITORING in pipeline.all_outputs():
            self._print_monitoring(catalog.load(_MONITORING))

    def _path(self, name: str) -> str:
        """Where a report is, relative to the project's folder."""
        return str(self._catalog.relative_path(self._project, name))

    def _print_monitoring(self, monitoring: dict[str, Any]) -> None:
        findings = monitoring["findings"]
        table = Table("Check", "Subject", "Finding")
        for finding in findings[:_MAX_FINDINGS]:
            cells = (finding["check"].replace("_", " "), finding["subject"], finding["says"])
            table.add_row(*map(escape, cells))  # they contain categories, which clients of the service choose
        console, more = Console(), len(findings) - _MAX_FINDINGS
        if findings:
            console.print(table)
        console.print(f"Verdict: {monitoring['verdict']}{f', and {more} more findings' if more > 0 else ''}.")
        console.print(f"Next: open {self._path(_MONITORING_REPORT)}")
        if monitoring["fails"]:
            raise AlertError(f"monitoring raised an alert of {findings[0]['subject']}: {findings[0]['says']}")

    def _print_metrics(self, metrics: dict[str, float]) -> None:
        table = Table("Metric", "Model", "Baseline")
        for name, value in metrics.items():
            if not name.startswith(BASELINE):
                baseline = metrics.get(BASELINE + name)
                table.add_row(name, f"{value:.4f}", "" if baseline is None else f"{baseline:.4f}")
        Console().print(table)
