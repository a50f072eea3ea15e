"""Look at the live predictions of a window: what there is, what it shows, and what to say of it."""

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from ..contract import Contract, ContractError, as_numbers
from ..parameters import ParameterError
from .checks import Finding
from .columns import classify_domain, compare_columns, compare_reasons
from .profile import Profile, add_derived_columns
from .quality import Outcomes, check_quality, over_time
from .scored import Part, ScoredRows, Window, WindowContents
from .settings import Alerts, Monitoring, Rule
from .window import find_window

logger = logging.getLogger(__name__)


class Profiles(Protocol):
    """The reference profiles of a model's versions."""

    def get(self, version: str) -> Profile | None:
        """That of a version; None where it has none."""


class VersionRows(NamedTuple):
    """The rows that a version answered, with its profile."""

    profile: Profile
    rows: pa.Table
    n_rows: int  # of which `rows` may be a part


class WindowRows(NamedTuple):
    """What there is of a window."""

    window: Window
    contents: WindowContents
    seen: dict[str, VersionRows]  # by version, the newest first
    problems: list[str]  # why rows, or whole versions, are not judged


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
    """Read the rows of the window, by the version that answered.

    Raises:
        ParameterError: the window can't be read.
    """
    settings, model = Monitoring.read("monitoring", monitoring), Contract.from_parameters(contract).name
    span = find_window(window, since, until, month)
    contents = scored_rows.look(model, span)
    seen, problems = {}, []
    if not contents.rows:
        problems.append(_nothing(model, span, contents))
    for version in sorted(contents.rows, key=_age):
        n_rows = contents.rows[version]
        if n_rows < settings.min_rows:
            problems.append(f"version {version} answered {n_rows:,} rows only: monitoring.min_rows is higher")
            continue
        profile = profiles.get(version)
        if profile is None:
            problems.append(f"version {version} has no reference profile: it was made before there were any")
            continue
        part = Part(model, version, span, min(1.0, settings.most_rows / n_rows))
        try:
            rows = scored_rows.read(part, profile.contract, profile.classes)
        except ContractError as error:
            problems.append(f"version {version} can't be judged: {error}")
            continue
        seen[version] = VersionRows(profile, add_derived_columns(rows, profile.classes), n_rows)
    for problem in problems:
        logger.warning(problem)
    return WindowRows(span, contents, seen, problems)


def assess(
    observed: WindowRows, monitoring: dict[str, Any], alerts: dict[str, Any], fail_on: str | None, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compare each version's rows with its reference, and judge by the rules.

    Returns:
        The verdict as JSON takes it: `verdict` is alert, ok or none (nothing could be judged); `findings` are
        those of all versions, with what moved first and what came of it after, the worst first of each;
        `fails` says whether the run should end with an error. The same goes to the versions in the registry.

    Raises:
        ParameterError: for parameters that can't be read.
    """
    if fail_on not in (None, "alert"):
        raise ParameterError(f"fail_on: {fail_on!r} is not known, write alert or null")
    settings, rules = Monitoring.read("monitoring", monitoring), Alerts.read("alerts", alerts).rules
    versions = {version: _assess_version(seen, settings, seed) for version, seen in observed.seen.items()}
    raised = [
        {"version": None} | finding.as_dict()
        for finding in _judge_errors(observed.contents, settings, rules)
        if finding.raised
    ]
    for version, assessed in versions.items():
        judged = [f.under(rule) for rule in rules for f in assessed["findings"] if f.check == rule.check]
        assessed["findings"] = [finding.as_dict() for finding in sorted(judged, key=_order)]
        raised += [{"version": version} | f.as_dict() for f in sorted(judged, key=_order) if f.raised]
    raised.sort(key=lambda finding: finding["check"] == "error_share")
    verdict = "alert" if raised else "ok" if versions else "none"
    told = {
        "verdict": verdict,
        "fails": verdict == fail_on,
        "window": {"since": str(observed.window.since), "until": str(observed.window.until)},
        "findings": raised,
        "problems": observed.problems,
        "errors": observed.contents.errors,
        "versions": versions,
    }
    return told, told


def _assess_version(seen: VersionRows, settings: Monitoring, seed: int) -> dict[str, Any]:
    profile, rows = seen.profile, seen.rows
    findings, columns = compare_columns(rows, profile, settings, seed)
    outcomes = Outcomes(rows, profile, seed)
    findings.append(classify_domain(rows, profile, settings, seed))
    findings += compare_reasons(rows, profile, settings)
    findings += check_quality(outcomes, profile, settings)
    service = _measure_latency(rows)
    if "latency_p99_ms" in service:
        slowest = service["latency_p99_ms"]
        says = f"one answer in a hundred takes longer than {slowest:.4g} ms"
        findings.append(Finding("latency_p99_ms", "the service", slowest, np.inf, says, 0.0))
    measured, estimated = outcomes.quality(), outcomes.estimate()
    beside = outcomes.estimate(outcomes.known) if measured else None
    return {
        "rows": seen.n_rows,
        "looked_at": len(rows),
        "outcomes": int(outcomes.known.sum()),
        "reference_rows": profile.rows,
        "metric": profile.metric,
        "reference": profile.quality[0].model_dump(),
        "measured": measured and measured._asdict(),
        "estimated": estimated and estimated._asdict(),
        "estimated_where_measured": beside and beside._asdict(),
        "metrics": outcomes.metrics(),
        "over_time": list(over_time(rows, outcomes)),
        "columns": columns,
        "service": service,
        "findings": findings,
    }


def _measure_latency(rows: pa.Table) -> dict[str, float]:
    latency = as_numbers(rows["latency_ms"]) if "latency_ms" in rows.column_names else np.empty(0)
    latency = latency[np.isfinite(latency)]
    if not len(latency):
        return {}
    return {f"latency_p{at}_ms": float(np.percentile(latency, at)) for at in (50, 95, 99)}


def _judge_errors(contents: WindowContents, settings: Monitoring, rules: list[Rule]) -> Iterator[Finding]:
    """The requests that failed by the service's own fault, as a share of these and of the rows answered."""
    failed = sum(n for code, n in contents.errors.items() if code in settings.errors_of)
    answered = sum(contents.rows.values())
    if failed + answered:
        share = failed / (failed + answered)
        says = f"{failed:,} requests failed, {answered:,} rows were answered"
        found = Finding("error_share", "the service", share, np.inf, says, 0.0)
        yield from (found.under(rule) for rule in rules if rule.check == "error_share")


def _nothing(model: str, window: Window, contents: WindowContents) -> str:
    said = f"no predictions of {model} from {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M}"
    if contents.first is None:
        return f"{said}, nor at any other time" + (
            f"; {contents.lost_outcomes:,} outcomes belong to no prediction" if contents.lost_outcomes else ""
        )
    return (
        f"{said}; there are some from {contents.first:%Y-%m-%d} to {contents.last:%Y-%m-%d}: choose them "
        f"with --params=month={contents.last:%Y-%m}, or since=… and until=…"
    )


def _age(version: str) -> tuple[int, str]:
    return (-int(version), "") if version.isdecimal() else (0, version)


# Causes before effects: who reads only the first line should read what to look at.
_ORDER = ["drift", "domain", "reason", "output_drift", "quality", "outcome_drift", "estimated_quality"]


def _order(finding: Finding) -> tuple[int, float]:
    place = _ORDER.index(finding.check) if finding.check in _ORDER else len(_ORDER)
    return place, -finding.rank
