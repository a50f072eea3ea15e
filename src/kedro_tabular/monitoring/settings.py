"""The sections `monitoring` and `alerts` of the parameters."""

from typing import Literal, get_args

from pydantic import Field, model_validator

from ..parameters import Section

DriftCheck = Literal["drift", "output_drift", "outcome_drift"]  # of inputs, outputs and outcomes
ServiceCheck = Literal["latency_p99_ms", "error_share", "silence"]  # without a reference
Check = Literal["domain", "reason", "quality", "estimated_quality", DriftCheck, ServiceCheck]


class Floors(Section):
    """The smallest changes that are reported."""

    psi: float = Field(gt=0)
    jensen_shannon: float = Field(gt=0)
    wasserstein: float = Field(gt=0)
    missing: float = Field(gt=0)
    new_category: float = Field(gt=0)
    domain: float = Field(gt=0.5, lt=1)
    reason: float = Field(gt=0)
    quality: float = Field(gt=0)


class Monitoring(Section):
    """How a window is compared with the reference."""

    min_rows: int = Field(ge=2)
    most_rows: int = Field(ge=1000)
    draws: int = Field(ge=100)
    draw: Literal["rows", "blocks"]
    false_alarms: float = Field(gt=0, lt=1)
    floors: Floors
    errors_of: list[str]

    @model_validator(mode="after")
    def _check_row_limits(self) -> "Monitoring":
        if self.most_rows < self.min_rows:
            raise ValueError(f"most_rows {self.most_rows} is below min_rows {self.min_rows}")
        return self


class Rule(Section):
    """When a check raises an alert."""

    check: Check
    above: float | None = Field(default=None, ge=0)
    windows: int = Field(ge=1)

    @model_validator(mode="after")
    def _check_threshold(self) -> "Rule":
        if self.above is None and self.check in get_args(ServiceCheck):
            raise ValueError(f"{self.check} needs a threshold: above")
        if self.check == "silence" and self.above is not None and self.above >= 1:
            raise ValueError("silence: the drop of the rows is at most 1, so above must be less")
        return self


class Alerts(Section):
    """The rules of the alerts, and where alerts are sent."""

    rules: list[Rule]
    urls_variable: str
    dry_run: bool

    @model_validator(mode="after")
    def _check_rules(self) -> "Alerts":
        checks = [rule.check for rule in self.rules]
        if len(set(checks)) < len(checks):
            raise ValueError("rules: there is more than one for a check")
        return self


class ModelsReport(Section):
    """The page of many models."""

    days: int = Field(default=28, ge=1, le=366)
