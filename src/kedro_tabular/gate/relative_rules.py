"""The rules of the gate that compare a model with another one: the champion, or the model of all rows."""

from collections.abc import Iterator
from typing import NamedTuple

from .comparison import Comparison
from .gains import Values, left_to_gain
from .settings import ChampionRule, PooledRule, SliceRule

# Proper scoring rules: the only metrics here that no distortion of the predictions improves.
PROPER_SCORES = frozenset({"log_loss", "rmse"})
DECISION_METRICS = frozenset({"accuracy", "f1_macro"})  # of the predicted class, not of the probabilities


_BETTER, _WORSE, _SAME = "better", "worse", "no clear difference"


class RuleResult(NamedTuple):
    """The result of one rule; `value` is None if it is not known."""

    rule: str
    passed: bool
    value: float | None
    limit: str
    why: str


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


def _compare(metric: str, values: Values, comparison: Comparison, other: str = "the champion's") -> str:
    gained = f"{values['gain']:.4f}" if values["gain"] is not None else "not defined"
    ends = " to ".join("?" if values[end] is None else f"{values[end]:.4f}" for end in ("gain_low", "gain_high"))
    return (
        f"{metric} is {_number(values['challenger'])}, {other} (version {comparison.champion}) "
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


def check_pooled(comparison: Comparison, rule: PooledRule) -> Iterator[RuleResult]:
    """The model of a segment is not significantly worse than that of all rows, if the rule is to refuse it."""
    limit = "not significantly worse" if rule.refuse else ""
    if comparison.problem:
        why = f"it can't be compared with the pooled model, version {comparison.champion}: {comparison.problem}"
        yield RuleResult("pooled", not rule.refuse, None, limit, why)
        return
    values, found = comparison.metrics[rule.metric], against_pooled(comparison, rule)
    why = _compare(rule.metric, values, comparison, "the pooled model's") + found
    passed = found in (_BETTER, _SAME) or not rule.refuse
    yield RuleResult("pooled", passed, values["gain"], limit, why)


def against_pooled(comparison: Comparison, rule: PooledRule) -> str:
    """How the model of a segment is, compared with that of all rows."""
    if comparison.problem:
        return "not comparable"
    low, high = (comparison.metrics[rule.metric][end] for end in ("gain_low", "gain_high"))
    if low is None or high is None:
        return "not defined"
    return _BETTER if low > 0 else _WORSE if high < 0 else _SAME
