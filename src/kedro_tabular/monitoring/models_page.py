"""The page of many models: one HTML file without external resources, a row for each model with small charts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ..evaluation import render
from .model_alerts import ModelAlert, group_alerts
from .model_status import ALERT, FAILED, NONE, OK, ModelStatus, by_urgency, rows_a_day, span_of
from .report import INTERVAL, metric_range

_WIDTH, _HEIGHT = 150, 36  # of a chart
_MAX_SEVERITY = 4  # where bars of drift are cut, as a multiple of the threshold
_MAX_COLUMNS = 30  # in a chart of drift
_SHOWN = 3  # alerts in a row
_DAY = timedelta(days=1)
_VERDICTS = {FAILED: "not monitored", ALERT: "alert", NONE: "no verdict", OK: "no alert"}
_COUNTED = {FAILED: "not monitored", ALERT: "with alerts", NONE: "without a verdict", OK: "without alerts"}


class Volume(NamedTuple):
    """The rows of models in days of 24 hours that end at `until` (UTC), the first day first."""

    until: datetime
    rows: Mapping[str, Sequence[int]]


class Bar(NamedTuple):
    """A bar of a chart, from the bottom: of rows in the window or before, or of a column above its threshold or not."""

    x: float
    width: float
    height: float
    kind: str
    title: str


def write_models_page(statuses: Sequence[ModelStatus], title: str, volume: Volume | None) -> str:
    """The table of all models, those that need a person first.

    Args:
        statuses: what the last monitoring of each found.
        title: what the models have in common, such as the project.
        volume: the rows a day of the models; None if it is not known.
    """
    ordered = by_urgency(statuses)
    alerts = [ModelAlert(one.model, f["check"], f["subject"], f["says"]) for one in ordered for f in one.findings]
    ends = [span_of(one.monitoring).until for one in ordered if one.monitoring]
    return render(
        Path(__file__).with_name("models.html.j2"),
        title=title,
        rows=[_describe(one, volume, max(ends, default=None)) for one in ordered],
        counts=Counter(_COUNTED[one.verdict] for one in ordered),
        shared=[group.text(len(ordered)) for group in group_alerts(alerts)[0]],
        until=max(ends, default=None),
        verdict=ordered[0].verdict if ordered else NONE,
        width=_WIDTH,
        height=_HEIGHT,
        most=_MAX_SEVERITY,
    )


def _describe(status: ModelStatus, volume: Volume | None, newest: datetime | None) -> dict[str, Any]:
    """What the template shows of a model."""
    monitoring = {} if status.reason else status.monitoring
    result: dict[str, Any] = next(iter(monitoring.get("versions", {}).values()), {})  # the newest version
    until = span_of(monitoring).until if monitoring else None
    is_late = until is not None and newest is not None and newest - until > timedelta(hours=1)
    return {
        "model": status.model,
        "verdict": status.verdict,
        "label": _VERDICTS[status.verdict],
        "reason": status.reason,
        "report": status.report,
        "findings": status.findings[:_SHOWN],
        "more": max(0, len(status.findings) - _SHOWN),
        "problems": monitoring.get("problems", []),
        "until": until if is_late else None,
        "versions": list(status.rows),
        "n_rows": sum(status.rows.values()) if monitoring else None,
        "daily": rows_a_day(monitoring),
        "volume": _volume_bars(status, volume),
        "drift": _drift_bars(result.get("columns", [])),
        "drifted": sum(column["severity"] > 1 for column in result.get("columns", [])),
        "n_columns": len(result.get("columns", [])),
        "quality": _quality(result),
    }


def _volume_bars(status: ModelStatus, volume: Volume | None) -> list[Bar]:
    rows = volume.rows.get(status.model, []) if volume else []
    if volume is None or not any(rows):
        return []
    width, window = _WIDTH / len(rows), span_of(status.monitoring) if status.monitoring else None
    bars = []
    for position, n_rows in enumerate(rows):
        start = volume.until - (len(rows) - position) * _DAY
        # most of the day, as windows do not start at the same second
        is_inside = window is not None and window.since <= start + _DAY / 2 < window.until
        height = _HEIGHT * n_rows / max(rows)
        title = f"from {start:%Y-%m-%d %H:%M}: {n_rows:,} rows"
        bars.append(Bar(position * width, 0.85 * width, height, "live" if is_inside else "before", title))
    return bars


def _drift_bars(columns: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """The ratio of each column to its threshold, the largest first."""
    shown = sorted(columns, key=lambda column: -column["severity"])[:_MAX_COLUMNS]
    width = min(_WIDTH / max(len(shown), 1), _WIDTH / 8)
    return [
        Bar(
            position * width,
            0.85 * width,
            _HEIGHT * min(column["severity"], _MAX_SEVERITY) / _MAX_SEVERITY,
            "above" if column["severity"] > 1 else "below",
            f"{column['name']}: {column['severity']:.1f} times its threshold",
        )
        for position, column in enumerate(shown)
    ]


class Point(NamedTuple):
    """A point of a plot, with its 95% interval from `low` down to `high` on the page."""

    x: float
    y: float
    low: float
    high: float


def _quality(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metric in the window, measured or else estimated, and over time; None without either."""
    kind = next((kind for kind in ("measured", "estimated") if result.get(kind)), None)
    if kind is None:
        return None
    reference, periods = result["reference"]["metric"], result["over_time"]
    low, high = metric_range(periods, reference)

    def y(value: float) -> float:
        return _HEIGHT * (high - value) / (high - low or 1)

    def points(each: str) -> list[Point]:
        step = _WIDTH / len(periods)
        found = [((position + 0.5) * step, period[each]) for position, period in enumerate(periods) if period[each]]
        return [Point(x, *(y(one["metric"] + by * INTERVAL * one["error"]) for by in (0, -1, 1))) for x, one in found]

    checks = [finding["check"] for finding in result["findings"] if finding["value"] > finding["limit"]]
    return {
        "metric": result["metric"],
        "kind": kind,
        "now": result[kind]["metric"],
        "reference": reference,
        "at": y(reference),
        "lines": {each: points(each) for each in ("estimated", "measured")},
        "lost": "quality" in checks or "estimated_quality" in checks,
    }
