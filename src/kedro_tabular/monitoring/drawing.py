"""Small plots as SVG text: dozens are drawn in less time than a plotting library takes to import."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

_LIVE, _REFERENCE, _ESTIMATE = "#1f5fa8", "#b9b9b9", "#c2571a"
_WIDTH, _HEIGHT = 260, 84


def draw_bars(labels: Sequence[str], live: Sequence[float], reference: Sequence[float]) -> Markup:
    """The shares of live rows in each bin, as bars in front of those of the reference."""
    shown = [k for k in range(len(labels)) if live[k] or reference[k]]
    top = max([live[k] for k in shown] + [reference[k] for k in shown] + [1e-9])
    step = _WIDTH / max(len(shown), 1)
    bars = []
    for place, k in enumerate(shown):
        title = f"{labels[k]}: {live[k]:.1%}, in the reference {reference[k]:.1%}"
        drawn = "".join(
            _bar((place + start) * step, width * step, share / top * _HEIGHT, colour)
            for start, width, share, colour in ((0.04, 0.92, reference[k], _REFERENCE), (0.26, 0.48, live[k], _LIVE))
        )
        bars.append(f"<g><title>{escape(title)}</title>{drawn}</g>")
    return Markup(f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(bars)}</svg>')


def _bar(x: float, width: float, height: float, colour: str) -> str:
    y = _HEIGHT - height
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def draw_over_time(periods: Sequence[dict[str, Any]], reference: float, confidence: float) -> Markup:
    """The metric as measured and as estimated by period, each with its interval, and that of the reference.

    Args:
        periods: as `over_time` gives them.
        reference: the metric of the reference rows.
        confidence: standard errors of half an interval.
    """
    width, height, left, bottom, top = 1000, 260, 60, 30, 12
    ends = [reference]
    for period in periods:
        for found in (period["measured"], period["estimated"]):
            if found:
                ends += [found["metric"] + side * confidence * found["error"] for side in (-1, 1)]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.08 or 0.01

    def x(place: float) -> float:
        return left + (place + 0.5) / len(periods) * (width - left)

    def y(value: float) -> float:
        return top + (high + room - value) / (high - low + 2 * room) * (height - top - bottom)

    parts = [
        f'<line x1="{left}" x2="{width}" y1="{y(reference):.1f}" y2="{y(reference):.1f}" stroke="#777" '
        'stroke-dasharray="5 4"/>'
    ]
    for value in (low, (low + high) / 2, high):
        parts.append(f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3f}</text>')
    for place, period in enumerate(periods):
        at = f'x="{x(place):.1f}" y="{height - 8}" text-anchor="middle"'
        parts.append(f"<text {at}>{escape(period['period'])}</text>")
    for name, colour, aside in (("estimated", _ESTIMATE, 0.06), ("measured", _LIVE, -0.06)):
        found = [(x(k + aside), period[name]) for k, period in enumerate(periods) if period[name]]
        line = " ".join(f"{place:.1f},{y(one['metric']):.1f}" for place, one in found)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for place, one in found:
            half = confidence * one["error"]
            ends_at = f'y1="{y(one["metric"] - half):.1f}" y2="{y(one["metric"] + half):.1f}"'
            parts.append(f'<line x1="{place:.1f}" x2="{place:.1f}" {ends_at} stroke="{colour}"/>')
            title = f"{name}: {one['metric']:.4f} on {one['rows']:,} rows"
            dot = f'cx="{place:.1f}" cy="{y(one["metric"]):.1f}" r="4" fill="{colour}"'
            parts.append(f"<circle {dot}><title>{escape(title)}</title></circle>")
    drawn = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {width} {height}" role="img">{drawn}</svg>')
