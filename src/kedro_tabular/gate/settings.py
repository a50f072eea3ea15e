"""The rules of the gate in conf/base/parameters_packaging.yml."""

import math
from typing import Literal

from pydantic import Field

from ..parameters import Section


class Limits(Section):
    """The range that a metric must be in."""

    min: float = -math.inf
    max: float = math.inf


class BaselineRule(Section):
    """By how much a metric must be better than the baseline's."""

    metric: str
    margin: float = Field(ge=0)


class ChampionRule(Section):
    """How the metrics must compare with the champion's on the same rows.

    Tolerances are shares of what the champion leaves to gain: of 1 - value, or of an error the value itself.
    """

    metric: str
    mode: Literal["not_worse", "significantly_better"]
    metrics: list[str] = Field(default_factory=list)
    tolerance: float = Field(ge=0)
    tolerances: dict[str, float] = Field(default_factory=dict)
    min_rows: int = Field(default=30, ge=1)
    unscoreable: Literal["pass", "refuse"]


class SliceRule(Section):
    """On which slices of the test rows a metric must not drop by more than a limit against the champion's."""

    metric: str
    columns: list[str]
    min_rows: int = Field(ge=1)
    max_drop: float = Field(ge=0)


class PooledRule(Section):
    """Whether the model of a segment must not be significantly worse than that of all rows, on its own test rows."""

    metric: str
    refuse: bool = False


class Gate(Section):
    """All rules. A rule that is not in conf/ is not applied."""

    promote: Literal["auto", "manual", "never"]
    resamples: int = Field(ge=20)
    confidence: float = Field(gt=0.5, lt=1)
    resample: Literal["rows", "days", "group"] = "rows"
    metrics: dict[str, Limits] = Field(default_factory=dict)
    trivial: BaselineRule | None = None
    champion: ChampionRule | None = None
    slices: SliceRule | None = None
    pooled: PooledRule | None = None
    max_calibration_error: float | None = Field(default=None, gt=0)
    max_latency_ms: float | None = Field(default=None, gt=0)
    max_size_mb: float | None = Field(default=None, gt=0)
