"""Checks of the service without a reference profile: latency, failed requests, traffic."""

from datetime import datetime

import numpy as np
import pyarrow as pa

from ..contract import to_float_array
from .drift import Finding
from .scored_rows import WindowSummary
from .settings import Monitoring
from .window import Window

_SERVICE = "the service"  # a subject; those of alerts are stored in alerts.json


def measure_latency(rows: pa.Table) -> dict[str, float]:
    """Percentiles of the latency by name; empty if no latency was recorded."""
    latency = to_float_array(rows["latency_ms"]) if "latency_ms" in rows.column_names else np.empty(0)
    latency = latency[np.isfinite(latency)]
    if not len(latency):
        return {}
    return {f"latency_p{percent}_ms": float(np.percentile(latency, percent)) for percent in (50, 95, 99)}


def check_latency(service: dict[str, float]) -> list[Finding]:
    """The 99th percentile of the latency, if any was recorded."""
    if not service:
        return []
    p99 = service["latency_p99_ms"]
    says = f"the 99th percentile of the latency is {p99:.4g} ms"
    return [Finding("latency_p99_ms", _SERVICE, p99, np.inf, says, 0.0)]


def check_errors(summary: WindowSummary, settings: Monitoring) -> list[Finding]:
    """Requests that failed because of the service, as a share of these requests and the predicted rows."""
    failed = sum(n for code, n in summary.errors.items() if code in settings.errors_of)
    predicted = sum(summary.rows.values())
    if not failed + predicted:
        return []
    says = f"{failed:,} requests failed, {predicted:,} rows were predicted"
    return [Finding("error_share", _SERVICE, failed / (failed + predicted), np.inf, says, 0.0)]


def check_traffic(summary: WindowSummary, window: Window, now: datetime, settings: Monitoring) -> list[Finding]:
    """The drop of the number of rows: 1 if there are none, where there were some before.

    They are compared with the rows of a time span as long as the window (if it has not ended, as what has passed of
    it) that ended with the last row before it. If these are fewer than `min_rows`, a number above 0 is no drop. No
    finding if there were no rows before, or if so few that none has to be there by now.
    """
    passed = (min(window.until, now) - window.since) / (window.until - window.since)
    n_rows, expected = sum(summary.rows.values()), summary.rows_before * passed
    if summary.last_before is None or expected < 1:
        return []
    drop = 1 - n_rows / expected if not n_rows or expected >= settings.min_rows else 0.0
    before = f"{summary.rows_before:,} in as much time until {summary.last_before:%Y-%m-%d %H:%M}"
    says = f"{n_rows:,} rows, {before}" if n_rows else f"no rows, {before}"
    return [Finding("silence", _SERVICE, max(drop, 0.0), np.inf, says, 0.0)]
