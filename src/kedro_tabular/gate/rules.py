"""The rules of the gate: each is a function that checks one thing and gives the numbers behind the result."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..evaluation import BASELINE, Metrics
from ..parameters import ParameterError
from .comparison import Comparison, gain, none_if_nan
from .packaging import Cost
from .settings import BaselineRule, ChampionRule, Gate, Limits, SliceRule


class RuleResult(NamedTuple):
    """The result of one rule; `value` is None if it is not known."""

    rule: str
    passed: bool
    value: float | None
    limit: str
    why: str


def apply_rules(metrics: Metrics, comparison: Comparison, cost: Cost, gate: dict[str, Any]) -> dict[str, Any]:
    """The verdict over all rules, ready for JSON. `metrics` has those of the baseline under `dummy_<name>`.

    Raises ParameterError if a rule names a metric that the evaluation does not compute.
    """
    settings = Gate.read("gate", gate)
    require_metrics(settings, metrics)
    calibration_error = metrics.get("expected_calibration_error", math.nan)
    results = [
        *check_metrics(metrics, settings.metrics),
        *(check_baseline(metrics, settings.trivial) if settings.trivial else []),
        *([check_champion(comparison, settings.champion)] if settings.champion else []),
        *(check_slices(comparison, settings.slices) if settings.slices else []),
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
        "metrics": comparison.metrics,
        "slices": [part._asdict() for part in comparison.slices],
    }


def require_metrics(gate: Gate, metrics: Metrics) -> None:
    """Raise ParameterError, naming the keys, if a rule names an unknown metric."""
    required = {f"gate.metrics.{name}": name for name in gate.metrics}
    sections = {"trivial": gate.trivial, "champion": gate.champion, "slices": gate.slices}
    required |= {f"gate.{key}.metric": section.metric for key, section in sections.items() if section}
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


def check_baseline(metrics: Metrics, rule: BaselineRule) -> Iterator[RuleResult]:
    """The metric is better than the baseline's by the margin."""
    value, baseline = metrics[rule.metric], metrics[BASELINE + rule.metric]
    difference = gain(rule.metric, value, baseline)
    why = f"{rule.metric} is {value:.4f}, the baseline's {baseline:.4f}"
    yield RuleResult("trivial model", difference >= rule.margin, difference, f"{rule.margin:g} or more", why)


def check_champion(comparison: Comparison, rule: ChampionRule) -> RuleResult:
    """The metric is not worse than the champion's, or better, by the interval of the paired difference."""
    not_worse = rule.mode == "not_worse"
    limit = f"{0 - rule.tolerance:g} or more" if not_worse else "above 0"
    if comparison.champion is None:
        return RuleResult("champion", True, None, limit, "there is no champion to compare with")
    champion = f"the champion, version {comparison.champion},"
    if comparison.problem:
        why = f"{champion} can't score the test rows (gate.champion.unscoreable is {rule.unscoreable}): "
        return RuleResult("champion", rule.unscoreable == "pass", None, limit, why + comparison.problem)
    values = comparison.metrics[rule.metric]
    low = values["gain_low"]
    if low is None:
        return RuleResult("champion", False, None, limit, f"{rule.metric} is not defined on the test rows")
    passed = low >= -rule.tolerance if not_worse else low > 0
    texts = ("worse than the tolerance allows", "not worse")
    if not not_worse:
        texts = ("not significantly better", "significantly better")
    why = (
        f"{rule.metric} is {values['challenger']:.4f}, the champion's (version {comparison.champion}) "
        f"{values['champion']:.4f} on the same rows: a gain of {values['gain']:.4f} "
        f"(interval {low:.4f} to {values['gain_high']:.4f}), {texts[passed]}"
    )
    return RuleResult("champion", passed, low, limit, why)


def check_slices(comparison: Comparison, rule: SliceRule) -> Iterator[RuleResult]:
    """No slice drops by more than the limit: a result for each that does, the largest drop first, or one for all."""
    limit = f"{0 - rule.max_drop:g} or more"
    compared = sorted((part.gain, part) for part in comparison.slices if part.gain is not None)
    if not compared:
        yield RuleResult("slices", True, None, limit, "there is no slice with enough rows and a champion to compare")
        return
    failed = [(change, part) for change, part in compared if change < -rule.max_drop]
    for change, part in failed or compared[:1]:
        name = f"{part.column} = {part.value}"
        why = (
            f"{name} ({part.rows:,} rows) {'drops by more than the limit' if failed else 'has the smallest gain'}: "
            f"{rule.metric} is {part.challenger:.4f}, the champion's {part.champion:.4f}"
        )
        yield RuleResult(f"slice {name}" if failed else "slices", not failed, change, limit, why)


def check_maximum(name: str, value: float, maximum: float | None) -> Iterator[RuleResult]:
    """A cost or an error is at most the maximum."""
    if maximum is not None:
        yield RuleResult(name, value <= maximum, value, f"{maximum:g} or less", f"{name} is {value:.4g}")


def _describe(limits: Limits) -> str:
    if math.isinf(limits.max):
        return f"{limits.min:g} or more"
    return f"{limits.max:g} or less" if math.isinf(limits.min) else f"{limits.min:g} to {limits.max:g}"
