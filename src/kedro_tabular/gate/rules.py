"""The rules of the gate: each is a function that checks one thing and gives the numbers behind the result."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..evaluation import BASELINE, Metrics, lower_is_better
from ..parameters import ParameterError
from .comparison import Comparison
from .gains import Values, gain, left_to_gain, none_if_nan
from .packaging import Cost
from .settings import BaselineRule, ChampionRule, Gate, Limits, SliceRule

# Proper scoring rules: the only metrics here that no distortion of the predictions improves.
PROPER_SCORES = frozenset({"log_loss", "rmse"})
DECISION_METRICS = frozenset({"accuracy", "f1_macro"})  # of the predicted class, not of the probabilities


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
        *([check_baseline(metrics, comparison, settings.trivial)] if settings.trivial else []),
        *(check_champion(comparison, settings.champion) if settings.champion else []),
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
        "compared_rows": comparison.rows,
        "seen_rows": comparison.seen,
        "latency_ms": {"challenger": cost.latency_ms, "champion": comparison.latency_ms},
        "metrics": comparison.metrics,
        "slices": [part._asdict() for part in comparison.slices],
    }


def require_metrics(gate: Gate, metrics: Metrics) -> None:
    """Raise ParameterError, naming the keys, if a rule names an unknown metric."""
    required = {f"gate.metrics.{name}": name for name in gate.metrics}
    sections = {"trivial": gate.trivial, "champion": gate.champion, "slices": gate.slices}
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


def check_champion(comparison: Comparison, rule: ChampionRule) -> Iterator[RuleResult]:
    """No metric is significantly worse than the champion's by more than its tolerance.

    With `mode: significantly_better`, the rule's `metric` is also significantly better.
    """
    if comparison.champion is None:
        yield RuleResult("champion", True, None, "", "there is no champion to compare with")
        return
    if comparison.problem:
        passed = comparison.incompatible and rule.unscoreable == "pass"
        why = f"it can't be compared with the champion, version {comparison.champion}: {comparison.problem}"
        if comparison.incompatible:
            why += f" (gate.champion.unscoreable is {rule.unscoreable})"
        yield RuleResult("champion", passed, None, "comparable", why)
        return
    if rule.mode == "significantly_better":
        yield _check_better(comparison, rule)
    results = [_check_not_worse(name, comparison, rule) for name in compared_metrics(comparison, rule)]
    yield from [result for result in results if not result.passed] or results[:1]


def compared_metrics(comparison: Comparison, rule: ChampionRule) -> list[str]:
    """The metrics that count, the rule's `metric` first; the proper scoring rule of the task always does.

    If the rule names none, all do, but those of the predicted class only at a threshold of 0.5: another threshold is
    chosen because it is better by another measure.
    """
    always = [rule.metric, *(name for name in comparison.metrics if name in PROPER_SCORES)]
    left_out = DECISION_METRICS if comparison.has_threshold else frozenset()
    return list(
        dict.fromkeys([*always, *(rule.metrics or (name for name in comparison.metrics if name not in left_out))])
    )


def _check_better(comparison: Comparison, rule: ChampionRule) -> RuleResult:
    values = comparison.metrics[rule.metric]
    low = values["gain_low"]
    passed = low is not None and low > 0
    why = _compare(rule.metric, values, comparison) + ("significantly better" if passed else "not significantly better")
    return RuleResult("champion", passed, low, "above 0", why)


def _check_not_worse(metric: str, comparison: Comparison, rule: ChampionRule) -> RuleResult:
    values = comparison.metrics[metric]
    name = "champion" if metric == rule.metric else f"champion {metric}"
    change, high, reference = values["gain"], values["gain_high"], values["champion"]
    tolerance = rule.tolerances.get(metric, rule.tolerance)
    if change is None or high is None or reference is None:
        # an average over classes or slices without any event can't be computed for either model
        why = f"{metric} is not defined on the {comparison.rows:,} compared rows"
        return RuleResult(name, False, None, f"tolerance {tolerance:g}", why)
    limit = 0 - tolerance * left_to_gain(metric, reference)
    passed = change >= limit or high >= 0
    if change >= limit:
        verdict = "better" if change > 0 else "not worse beyond the tolerance"
    else:
        verdict = "worse, but not significantly" if passed else "worse by more than the tolerance"
    return RuleResult(name, passed, change, f"{limit:.2g} or more", _compare(metric, values, comparison) + verdict)


def _compare(metric: str, values: Values, comparison: Comparison) -> str:
    gained = f"{values['gain']:.4f}" if values["gain"] is not None else "not defined"
    ends = " to ".join("?" if values[end] is None else f"{values[end]:.4f}" for end in ("gain_low", "gain_high"))
    return (
        f"{metric} is {_number(values['challenger'])}, the champion's (version {comparison.champion}) "
        f"{_number(values['champion'])} on the same {comparison.rows:,} rows: a gain of {gained} (interval {ends}), "
    )


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"


def check_slices(comparison: Comparison, rule: SliceRule) -> Iterator[RuleResult]:
    """No slice drops by more than the limit: a result for each that does, the largest drop first, or one for all."""
    limit = f"{0 - rule.max_drop:g} or more"
    compared = sorted((part.gain, part) for part in comparison.slices if part.gain is not None)
    if not compared:
        yield RuleResult("slices", True, None, limit, "there is no slice with enough rows and a champion to compare")
        return
    failed = [(change, part) for change, part in compared if part.gain_high is not None and part.gain_high < 0]
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
