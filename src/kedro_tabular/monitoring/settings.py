"""The sections `monitoring` and `alerts` of the parameters."""

from typing import Literal

from pydantic import Field, model_validator

from ..parameters import Section

Check = Literal[
    "drift",
    "domain",
    "output_drift",
    "outcome_drift",
    "reason",
    "quality",
    "estimated_quality",
    "latency_p99_ms",
    "error_share",
]
_MEASURED: tuple[Check, ...] = ("latency_p99_ms", "error_share")  # the reference says nothing of these


class Floors(Section):
    """What is less is never told."""

    psi: float = Field(gt=0)
    jensen_shannon: float = Field(gt=0)
    wasserstein: float = Field(gt=0)
    missing: float = Field(gt=0)
    new_category: float = Field(gt=0)
    domain: float = Field(gt=0.5, lt=1)
    reason: float = Field(gt=0)
    quality: float = Field(gt=0)


class Monitoring(Section):
    """How a window is looked at."""

    min_rows: int = Field(ge=2)
    most_rows: int = Field(ge=1000)
    draws: int = Field(ge=100)
    draw: Literal["rows", "blocks"]
    false_alarms: float = Field(gt=0, lt=1)
    floors: Floors
    errors_of: list[str]

    @model_validator(mode="after")
    def _enough_are_drawn(self) -> "Monitoring":
        if self.most_rows < self.min_rows:
            raise ValueError(f"most_rows {self.most_rows} is below min_rows {self.min_rows}")
        return self


class Rule(Section):
    """What raises an alert."""

    check: Check
    above: float | None = Field(default=None, ge=0)
    windows: int = Field(ge=1)

    @model_validator(mode="after")
    def _has_a_limit(self) -> "Rule":
        if self.above is None and self.check in _MEASURED:
            raise ValueError(f"{self.check} needs a limit: above")
        return self


class Alerts(Section):
    """What raises an alert, and who is told."""

    rules: list[Rule]
    urls_variable: str
    dry_run: bool

    @model_validator(mode="after")
    def _one_rule_a_check(self) -> "Alerts":
        checks = [rule.check for rule in self.rules]
        if len(set(checks)) < len(checks):
            raise ValueError("rules: there is more than one for a check")
        return self
