"""Reads the scored rows of a window, compares them with the reference, and applies the rules of the alerts."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from ..contract import Contract, ContractError
from ..parameters import ParameterError
from .drift import Finding
from .drift_checks import classify_domain, compare_columns, compare_reasons
from .profile import Profile, Profiles, add_derived_columns
from .quality import QualityEvaluator, check_quality, quality_over_time
from .scored_rows import RowSelection, ScoredRows, WindowSummary
from .service_checks import check_errors, check_latency, check_traffic, measure_latency
from .settings import Alerts, Monitoring, Rule
from .window import Window, resolve_window

logger = logging.getLogger(__name__)

# Causes before effects: the first line of the report should be where to look.
_ORDER = ["drift", "domain", "reason", "output_drift", "quality", "outcome_drift", "estimated_quality"]


class VersionRows(NamedTuple):
    """The rows that a version scored, with its profile."""

    profile: Profile
    rows: pa.Table
    n_rows: int  # of which `rows` may be a sample


class WindowRows(NamedTuple):
    """The scored rows of a window."""

    window: Window
    summary: WindowSummary
    versions: dict[str, VersionRows]  # the newest first
    problems: list[str]  # why rows or versions are not assessed
    traffic: Sequence[Finding] = ()  # of `check_traffic`


def observe(
    scored_rows: ScoredRows,
    profiles: Profiles,
    contract: dict[str, Any],
    window: str,
    since: str | None,
    until: str | None,
    month: str | None,
    monitoring: dict[str, Any],
) -> WindowRows:
    """Read the rows of the window by the version that scored them.

    Raises:
        ParameterError: the window can't be parsed.
    """
    settings, table = Monitoring.read("monitoring", monitoring), Contract.from_parameters(contract)
    model, span = table.name, resolve_window(window, since, until, month, table.zone)
    summary = scored_rows.summarize(model, span)
    versions, problems = {}, []
    if not summary.rows:
        problems.append(_explain_empty_window(model, span, summary))
    for version in sorted(summary.rows, key=_newest_first):
        n_rows = summary.rows[version]
        if n_rows < settings.min_rows:
            problems.append(f"version {version} scored {n_rows:,} rows only, fewer than monitoring.min_rows")
            continue
        profile = profiles(version)
        if profile is None:
            problems.append(f"version {version} has no reference profile: it was registered before there were any")
            continue
        selection = RowSelection(model, version, span, min(1.0, settings.most_rows / n_rows))
        try:
            rows = scored_rows.read(selection, profile.contract, profile.classes)
        except ContractError as error:
            problems.append(f"version {version} can't be assessed: {error}")
            continue
        rows = add_derived_columns(rows, profile.classes, profile.threshold)
        versions[version] = VersionRows(profile, rows, n_rows)
    for problem in problems:
        logger.warning(problem)
    now = datetime.now(span.zone).replace(tzinfo=None)
    return WindowRows(span, summary, versions, problems, check_traffic(summary, span, now, settings))


def _explain_empty_window(model: str, window: Window, summary: WindowSummary) -> str:
    problem = f"no predictions of {model} from {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M}"
    if summary.first is not None:
        others = f"there are predictions from {summary.first:%Y-%m-%d} to {summary.last:%Y-%m-%d}"
        return f"{problem}; {others}: select them with --params=month={summary.last:%Y-%m}, or since=… and until=…"
    unmatched = summary.unmatched_outcomes
    return f"{problem}, nor at any other time" + (f"; {unmatched:,} outcomes have no prediction" if unmatched else "")


def _newest_first(version: str) -> tuple[int, str]:
    return (-int(version), "") if version.isdecimal() else (0, version)


def assess(
    observed: WindowRows, monitoring: dict[str, Any], alerts: dict[str, Any], fail_on: str | None, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compare the rows of each version with its reference, and apply the rules.

    Returns:
        The verdict as JSON: `verdict` is alert, ok or none (nothing could be assessed); `findings` are those of all
        versions and of the service that exceed their thresholds, causes before effects, the most severe of each check
        first; `fails` is whether the run should end with an error. It is returned twice, also for the versions in the
        registry.

    Raises:
        ParameterError: parameters are wrong.
    """
    if fail_on not in (None, "alert"):
        raise ParameterError(f"fail_on: {fail_on!r} is not known, write alert or null")
    settings, rules = Monitoring.read("monitoring", monitoring), Alerts.read("alerts", alerts).rules
    versions, raised = {}, []
    for version, version_rows in observed.versions.items():
        result, findings = _assess_version(version_rows, settings, seed)
        findings = _apply_rules(findings, rules)
        versions[version] = result | {"findings": [finding.as_dict() for finding in findings]}
        raised += [{"version": version} | finding.as_dict() for finding in findings if finding.raised]
    service = _apply_rules([*observed.traffic, *check_errors(observed.summary, settings)], rules)
    raised += [{"version": None} | finding.as_dict() for finding in service if finding.raised]
    verdict = "alert" if raised else "ok" if versions else "none"
    result = {
        "verdict": verdict,
        "fails": verdict == fail_on,
        "window": {"since": str(observed.window.since), "until": str(observed.window.until)},
        "timezone": str(observed.window.zone),
        "rows": {
            version: observed.summary.rows[version] for version in sorted(observed.summary.rows, key=_newest_first)
        },
        "rules": {rule.check: rule.windows for rule in rules},
        "findings": raised,
        "problems": observed.problems,
        "errors": observed.summary.errors,
        "service_findings": [finding.as_dict() for finding in service],
        "versions": versions,
    }
    return result, result


def _apply_rules(findings: Iterable[Finding], rules: list[Rule]) -> list[Finding]:
    """The findings of the checks that have a rule, in the order of the report."""
    with_rule = [finding.with_rule(rule) for rule in rules for finding in findings if finding.check == rule.check]
    positions = {check: position for position, check in enumerate(_ORDER)}
    return sorted(with_rule, key=lambda finding: (positions.get(finding.check, len(_ORDER)), -finding.rank))


def _assess_version(version_rows: VersionRows, settings: Monitoring, seed: int) -> tuple[dict[str, Any], list[Finding]]:
    profile, rows = version_rows.profile, version_rows.rows
    evaluator = QualityEvaluator(rows, profile, seed)
    drift, columns = compare_columns(rows, profile, settings, seed)
    findings = [*drift, classify_domain(rows, profile, settings, seed), *compare_reasons(rows, profile, settings)]
    findings += check_quality(evaluator, profile, settings)
    service = measure_latency(rows)
    findings += check_latency(service)
    measured, estimated = evaluator.measure(), evaluator.estimate()
    estimated_where_measured = evaluator.estimate(evaluator.has_outcome) if measured else None
    result = {
        "rows": version_rows.n_rows,
        "looked_at": len(rows),
        "outcomes": int(evaluator.has_outcome.sum()),
        "reference_rows": profile.rows,
        "metric": profile.metric,
        "reference": profile.quality[0].model_dump(),
        "measured": measured and measured._asdict(),
        "estimated": estimated and estimated._asdict(),
        "estimated_where_measured": estimated_where_measured and estimated_where_measured._asdict(),
        "metrics": evaluator.metrics(),
        "over_time": list(quality_over_time(rows, evaluator)),
        "columns": columns,
        "service": service,
    }
    return result, findings
