"""The report of a window as one HTML file without external resources."""

from collections import Counter
from pathlib import Path
from typing import Any

from ..contract import Contract
from ..evaluation import render

INTERVAL = 1.96  # standard errors


def write_report(monitoring: dict[str, Any], contract: dict[str, Any], settings: dict[str, Any]) -> str:
    """The verdict of `assess`, the findings, what to do, then the plots."""
    first = {finding["check"]: finding for finding in reversed(monitoring["findings"])}
    counts = Counter(finding["check"] for finding in monitoring["findings"])
    return render(
        Path(__file__).with_name("report.html.j2"),
        used_bins=_used_bins,
        metric_range=metric_range,
        contract=Contract.from_parameters(contract),
        settings=settings,
        interval=INTERVAL,
        groups={"input": "Inputs", "output": "Predictions", "outcome": "Outcomes"},
        first=[(first[check], count - 1) for check, count in counts.items()],
        **monitoring,
    )


def _used_bins(column: dict[str, Any]) -> list[tuple[str, float, float]]:
    bins = zip(column["labels"], column["live"], column["reference"], strict=True)
    return [(label, live, reference) for label, live, reference in bins if live or reference]


def metric_range(periods: list[dict[str, Any]], reference: float) -> tuple[float, float]:
    """The smallest and the largest value to plot: the ends of the intervals of all periods, and the reference."""
    qualities = [period[kind] for period in periods for kind in ("measured", "estimated") if period[kind]]
    ends = [quality["metric"] + side * INTERVAL * quality["error"] for quality in qualities for side in (-1, 1)]
    return min([reference, *ends]), max([reference, *ends])
