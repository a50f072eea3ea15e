"""What the last monitoring of each of many models found, those that need a person first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ..contract import to_utc

FAILED, ALERT, NONE, OK = "failed", "alert", "none", "ok"  # verdicts, the most urgent first


@dataclass(frozen=True)
class ModelStatus:
    """A model and the verdict of `assess` on it; `reason` says why it could not be monitored."""

    model: str
    monitoring: Mapping[str, Any] = field(default_factory=dict)  # empty if it never was
    reason: str = ""
    report: str = ""  # address of its report, relative to the page

    @property
    def verdict(self) -> str:
        """One of failed, alert, none and ok."""
        return FAILED if self.reason else str(self.monitoring.get("verdict", NONE))

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The alerts, causes before effects; none if it could not be monitored now."""
        return [] if self.reason else list(self.monitoring.get("findings", []))

    @property
    def rows(self) -> dict[str, int]:
        """The rows in the window by version, the newest first."""
        return {} if self.reason else rows_by_version(self.monitoring)


def by_urgency(statuses: Iterable[ModelStatus]) -> list[ModelStatus]:
    """Those that need a person first: not monitored, with alerts (the most first), without predictions."""
    order = (FAILED, ALERT, NONE, OK)
    return sorted(statuses, key=lambda one: (order.index(one.verdict), -len(one.findings), one.model))


def rows_by_version(monitoring: Mapping[str, Any]) -> dict[str, int]:
    """The rows in the window by version, the newest first."""
    assessed = {version: result["rows"] for version, result in monitoring.get("versions", {}).items()}
    return dict(monitoring.get("rows", assessed))  # a verdict of an earlier release lacks it


def rows_a_day(monitoring: Mapping[str, Any]) -> float | None:
    """The rows of the window divided by its days; None without a window."""
    if not monitoring:
        return None
    span = span_of(monitoring)
    return sum(rows_by_version(monitoring).values()) / ((span.until - span.since).total_seconds() / 86400)


class Span(NamedTuple):
    """The window of a verdict in UTC."""

    since: datetime
    until: datetime


def span_of(monitoring: Mapping[str, Any]) -> Span:
    """The window of a verdict in UTC."""
    zone = ZoneInfo(monitoring.get("timezone", "UTC"))
    return Span(*(to_utc(datetime.fromisoformat(monitoring["window"][end]), zone) for end in Span._fields))
