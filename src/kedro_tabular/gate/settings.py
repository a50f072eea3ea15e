"""The rules of the gate as conf/base/parameters_packaging.yml states them."""

import math
from typing import Literal

from pydantic import Field

from ..parameters import Section


class Limits(Section):
    """The values that a metric may take."""

    min: float = -math.inf
    max: float = math.inf


class Trivial(Section):
    """By how much a metric must be better than the dummy's."""

    metric: str
    margin: float = Field(ge=0)


class AgainstChampion(Section):
    """How a metric must compare with the champion's on the same rows."""

    metric: str
    mode: Literal["not_worse", "significantly_better"]
    tolerance: float = Field(ge=0)
    unscoreable: Literal["pass", "refuse"]


class Slices(Section):
    """Which parts of the test rows must not lose more than a limit against the champion."""

    metric: str
    columns: list[str]
    min_rows: int = Field(ge=1)
    max_drop: float = Field(ge=0)


class Gate(Section):
    """The rules; one that is left out of conf/ is not applied."""

    promote: Literal["auto", "manual"]
    resamples: int = Field(ge=20)
    confidence: float = Field(gt=0.5, lt=1)
    metrics: dict[str, Limits] = Field(default_factory=dict)
    trivial: Trivial | None = None
    champion: AgainstChampion | None = None
    slices: Slices | None = None
    max_calibration_error: float | None = Field(default=None, gt=0)
    max_latency_ms: float | None = Field(default=None, gt=0)
    max_size_mb: float | None = Field(default=None, gt=0)
