"""The gate: each rule a small function that says whether it holds, and the numbers behind it."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..evaluation import Metrics, lower_is_better
from ..parameters import ParameterError
from .settings import AgainstChampion, Gate, Limits, Slices, Trivial

_SAYS = {
    ("not_worse", True): "not worse",
    ("not_worse", False): "worse than the tolerance allows",
    ("significantly_better", True): "significantly better",
    ("significantly_better", False): "not significantly better",
}


class Rule(NamedTuple):
    """The verdict of one rule. A value that is not known is None."""

    rule: str
    passed: bool
    value: float | None
    limit: str
    why: str


class Cost(NamedTuple):
    """Median time to answer a single row in milliseconds, and size of the stored objects in megabytes."""

    latency_ms: float
    size_mb: float


class Slice(NamedTuple):
    """One part of the test rows; a metric that is not defined on it, or not known, is None."""

    column: str
    value: str
    rows: int
    challenger: float | None
    champion: float | None
    gain: float | None


class Comparison(NamedTuple):
    """The challenger beside the champion on the same test rows.

    Attributes:
        champion: its version; None where there is none.
        problem: why the champion could not score the test rows; None if it could.
        unanswered: the test rows that the champion refuses; they are left out of the comparison.
        metrics: by metric, None for what is not defined, the values challenger, low, high and, of a
            champion that could score the rows, champion, champion_low, champion_high, gain, gain_low,
            gain_high. A gain is positive where the challenger is the better one.
        slices: each part of the test rows that is large enough, with the metric that slices are judged by.
        calibration: an SVG of the calibration curves; empty for a regression.
        changes: what differs from the champion: kind, name, before, after.
    """

    champion: str | None
    problem: str | None
    unanswered: int
    metrics: dict[str, dict[str, float | None]]
    slices: list[Slice]
    calibration: str
    changes: list[tuple[str, str, str, str]]


def judge(metrics: Metrics, comparison: Comparison, cost: Cost, gate: dict[str, Any]) -> dict[str, Any]:
    """The verdict over all rules, as plain values for JSON.

    Args:
        metrics: of the model, and of the dummy under `dummy_<name>`.
        comparison: with the champion.
        cost: of an answer and of the stored objects.
        gate: `params:gate`.

    Raises:
        ParameterError: a rule is for a metric that the evaluation does not have.
    """
    settings = Gate.read("gate", gate)
    require_metrics(settings, metrics)
    rules = [
        *check_metrics(metrics, settings.metrics),
        *check_trivial(metrics, settings.trivial),
        *([check_champion(comparison, settings.champion)] if settings.champion else []),
        *(check_slices(comparison, settings.slices) if settings.slices else []),
        *check_maximum(
            "calibration error", metrics.get("expected_calibration_error", math.nan), settings.max_calibration_error
        ),
        *check_maximum("latency in ms", cost.latency_ms, settings.max_latency_ms),
        *check_maximum("size in MB", cost.size_mb, settings.max_size_mb),
    ]
    return {
        "verdict": "passed" if all(rule.passed for rule in rules) else "refused",
        "promote": settings.promote,
        "champion": comparison.champion,
        "problem": comparison.problem,
        "rules": [rule._asdict() | {"value": _known(rule.value)} for rule in rules],
        "metrics": comparison.metrics,
        "slices": [part._asdict() for part in comparison.slices],
    }


def require_metrics(gate: Gate, metrics: Metrics) -> None:
    """Raise ParameterError, naming the keys, where a rule is for a metric that there is not."""
    asked = {f"gate.metrics.{name}": name for name in gate.metrics}
    sections = {"trivial": gate.trivial, "champion": gate.champion, "slices": gate.slices}
    asked |= {f"gate.{name}.metric": section.metric for name, section in sections.items() if section}
    if gate.max_calibration_error is not None:
        asked["gate.max_calibration_error"] = "expected_calibration_error"
    unknown = [f"{key} ({name})" for key, name in asked.items() if name not in metrics]
    if unknown:
        known = sorted(name for name in metrics if not name.startswith("dummy_"))
        raise ParameterError(f"{', '.join(unknown)} in conf/: there are only the metrics {', '.join(known)}")


def check_metrics(metrics: Metrics, limits: dict[str, Limits]) -> Iterator[Rule]:
    """Each metric within its limits."""
    for name, limit in limits.items():
        value, allowed = metrics[name], _range(limit)
        passed = limit.min <= value <= limit.max  # a metric that is NaN does not pass
        why = f"{name} is {value:.4f}, {'within' if passed else 'outside'} {allowed}"
        yield Rule(f"metric {name}", passed, value, allowed, why)


def check_trivial(metrics: Metrics, trivial: Trivial | None) -> Iterator[Rule]:
    """Better than the dummy, which knows nothing of a row, by a margin."""
    if trivial:
        dummy = metrics[f"dummy_{trivial.metric}"]
        gain = (metrics[trivial.metric] - dummy) * direction(trivial.metric)
        why = f"{trivial.metric} is {metrics[trivial.metric]:.4f}, the trivial model's {dummy:.4f}"
        yield Rule("trivial model", gain >= trivial.margin, gain, f"{trivial.margin:g} or more", why)


def check_champion(comparison: Comparison, against: AgainstChampion) -> Rule:
    """Not worse than the champion, or better than it, by the interval of the paired difference."""
    limit = f"-{against.tolerance:g} or more" if against.mode == "not_worse" else "above 0"
    if comparison.champion is None:
        return Rule("champion", True, None, limit, "there is no champion to compare with")
    name = f"champion, version {comparison.champion},"
    if comparison.problem:
        why = (
            f"the {name} can't score the test rows: {comparison.problem} "
            f"(gate.champion.unscoreable: {against.unscoreable})"
        )
        return Rule("champion", against.unscoreable == "pass", None, limit, why)
    found = comparison.metrics[against.metric]
    low = found["gain_low"]
    if low is None:
        return Rule("champion", False, None, limit, f"{against.metric} is not defined on the test rows")
    passed = low >= -against.tolerance if against.mode == "not_worse" else low > 0
    why = (
        f"{against.metric} is {found['challenger']:.4f}, that of the {name} {found['champion']:.4f} on the "
        f"same rows: a gain of {found['gain']:.4f}, interval {low:.4f} to {found['gain_high']:.4f}, "
        f"{_SAYS[against.mode, passed]}"
    )
    return Rule("champion", passed, low, limit, why)


def check_slices(comparison: Comparison, slices: Slices) -> Iterator[Rule]:
    """No slice that loses more than the limit; each that does is named, the worst first."""
    compared = [(part.gain, part) for part in comparison.slices if part.gain is not None]
    limit = f"-{slices.max_drop:g} or more"
    if not compared:
        yield Rule("slices", True, None, limit, "no slice has rows enough and a champion to compare with")
        return
    worst = sorted(compared)
    lost = [(gain, part) for gain, part in worst if gain < -slices.max_drop]
    for gain, part in lost or worst[:1]:
        name = f"{part.column} = {part.value}"
        what = "drops by more than the limit" if lost else "gains least of all slices"
        values = f"{slices.metric} is {part.challenger:.4f}, the champion's {part.champion:.4f}"
        yield Rule(
            f"slice {name}" if lost else "slices",
            not lost,
            gain,
            limit,
            f"{name} ({part.rows:,} rows) {what}: {values}",
        )


def check_maximum(name: str, value: float, maximum: float | None) -> Iterator[Rule]:
    """A cost or an error that must not be above a limit."""
    if maximum is not None:
        yield Rule(name, value <= maximum, value, f"{maximum:g} or less", f"{name} is {value:.4g}")


def direction(metric: str) -> int:
    """1 for a metric of which more is better, -1 for an error."""
    return -1 if lower_is_better(metric) else 1


def _range(limits: Limits) -> str:
    if math.isinf(limits.max):
        return f"{limits.min:g} or more"
    return f"{limits.max:g} or less" if math.isinf(limits.min) else f"{limits.min:g} to {limits.max:g}"


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value  # JSON has no NaN
