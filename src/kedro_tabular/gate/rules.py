"""The rules of the gate: each is a function that checks one thing and gives the numbers behind the result."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..evaluation import BASELINE, Metrics, lower_is_better
from ..parameters import ParameterError
from .comparison import Comparison
from .gains import gain, none_if_nan
from .packaging import Cost
from .relative_rules import RuleResult, against_pooled, check_champion, check_pooled, check_slices
from .settings import BaselineRule, Gate, Limits


def apply_rules(
    metrics: Metrics, comparison: Comparison, cost: Cost, gate: dict[str, Any], pooled: Sequence[Comparison] = ()
) -> dict[str, Any]:
    """The verdict over all rules, ready for JSON. `metrics` has those of the baseline under `dummy_<name>`.

    `pooled` is the comparison of the model of a segment with that of all rows; empty for any other model.

    Raises ParameterError if a rule names a metric that the evaluation does not compute.
    """
    settings = Gate.read("gate", gate)
    require_metrics(settings, metrics)
    calibration_error = metrics.get("expected_calibration_error", math.nan)
    results = [
        *check_metrics(metrics, settings.metrics),
        *([check_baseline(metrics, comparison, settings.trivial)] if settings.trivial else []),
        *(check_champion(comparison, settings.champion) if settings.champion else []),
        *(check_slices(comparison, settings.slices) if settings.slices else []),
        *(check_pooled(pooled[0], settings.pooled) if settings.pooled and pooled else []),
        *check_maximum("calibration error", calibration_error, settings.max_calibration_error),
        *check_maximum("latency in ms", cost.latency_ms, settings.max_latency_ms),
        *check_maximum("size in MB", cost.size_mb, settings.max_size_mb),
    ]
    return {
        "verdict": "passed" if all(result.passed for result in results) else "refused",
        "promote": settings.promote,
        "champion": comparison.champion,
        "problem": comparison.problem,
        "rules": [result._asdict() | {"value": none_if_nan(result.value)} for result in results],
        "compared_rows": comparison.rows,
        "seen_rows": comparison.seen,
        "latency_ms": {"challenger": cost.latency_ms, "champion": comparison.latency_ms},
        "metrics": comparison.metrics,
        "slices": [part._asdict() for part in comparison.slices],
        "pooled": _pooled(pooled[0], settings) if pooled else None,
    }


def _pooled(comparison: Comparison, gate: Gate) -> dict[str, Any]:
    found = against_pooled(comparison, gate.pooled) if gate.pooled else ""
    return {"version": comparison.champion, "found": found, "metrics": comparison.metrics}


def require_metrics(gate: Gate, metrics: Metrics) -> None:
    """Raise ParameterError, naming the keys, if a rule names an unknown metric."""
    required = {f"gate.metrics.{name}": name for name in gate.metrics}
    sections = {"trivial": gate.trivial, "champion": gate.champion, "slices": gate.slices, "pooled": gate.pooled}
    required |= {f"gate.{key}.metric": section.metric for key, section in sections.items() if section}
    if gate.champion:
        required |= {f"gate.champion.metrics.{name}": name for name in gate.champion.metrics}
        required |= {f"gate.champion.tolerances.{name}": name for name in gate.champion.tolerances}
    if gate.max_calibration_error is not None:
        required["gate.max_calibration_error"] = "expected_calibration_error"
    unknown = [f"{key} ({name})" for key, name in required.items() if name not in metrics]
    if unknown:
        known = sorted(name for name in metrics if not name.startswith(BASELINE))
        raise ParameterError(f"unknown metrics in conf/: {', '.join(unknown)}; there are {', '.join(known)}")


def check_metrics(metrics: Metrics, limits: dict[str, Limits]) -> Iterator[RuleResult]:
    """Each metric is within its limits."""
    for name, limit in limits.items():
        value, allowed = metrics[name], _describe(limit)
        passed = limit.min <= value <= limit.max  # NaN does not pass
        why = f"{name} is {value:.4f}, {'within' if passed else 'outside'} {allowed}"
        yield RuleResult(f"metric {name}", passed, value, allowed, why)


def check_baseline(metrics: Metrics, comparison: Comparison, rule: BaselineRule) -> RuleResult:
    """The metric is better than the baseline's by the margin, and its whole interval is better than the baseline's."""
    value, baseline = metrics[rule.metric], metrics[BASELINE + rule.metric]
    values = comparison.metrics[rule.metric]
    worst = values["high" if lower_is_better(rule.metric) else "low"]
    difference = gain(rule.metric, value, baseline)
    surely_better = worst is not None and gain(rule.metric, worst, baseline) > 0
    why = f"{rule.metric} is {value:.4f}, the baseline's {baseline:.4f}"
    if worst is not None:
        why += f"; the interval is {values['low']:.4f} to {values['high']:.4f}"
    return RuleResult(
        "trivial model", difference >= rule.margin and surely_better, difference, f"{rule.margin:g} or more", why
    )


def check_maximum(name: str, value: float, maximum: float | None) -> Iterator[RuleResult]:
    """A cost or an error is at most the maximum."""
    if maximum is not None:
        yield RuleResult(name, value <= maximum, value, f"{maximum:g} or less", f"{name} is {value:.4g}")


def _describe(limits: Limits) -> str:
    if math.isinf(limits.max):
        return f"{limits.min:g} or more"
    return f"{limits.max:g} or less" if math.isinf(limits.min) else f"{limits.min:g} to {limits.max:g}"
