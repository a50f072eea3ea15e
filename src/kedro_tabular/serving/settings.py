"""The section `serving` of the parameters."""

from typing import Any, Literal

from pydantic import Field

from ..parameters import Section
from .errors import too_many


class Limits(Section):
    """The limits of one request, and of all at the same time. Those of a body are checked before it is decoded."""

    body_mb: float = Field(gt=0)
    rows: int = Field(ge=1)
    columns: int = Field(default=2_000, ge=1)
    cells: int = Field(default=1_000_000, ge=1)
    decoded_mb: float = Field(default=50, gt=0)
    explained_rows: int = Field(ge=1)
    seconds: float = Field(gt=0)
    characters: int = Field(default=10_000, ge=1)
    client_seconds: float = Field(default=30, gt=0)
    held_mb: float = Field(default=50, gt=0)
    queue_requests: int = Field(1000, ge=1)
    queue_rows: int = Field(20_000, ge=1)
    queue_seconds: float = Field(1, gt=0)

    def check_shape(self, n_rows: int, n_columns: int, n_decoded: int) -> None:
        """Raises RequestError for too many rows, columns, or cells in the `n_decoded` columns that are decoded."""
        for what, count in (("rows", n_rows), ("columns", n_columns), ("cells", n_rows * n_decoded)):
            if count > getattr(self, what):
                raise too_many(what, getattr(self, what))


class LoadedLimits(Section):
    """Of many models, those that are loaded at the same time; the least recently used make room for others."""

    models: int = Field(default=100, ge=1)
    memory_mb: float = Field(default=1500, gt=0)  # of the process


class LogSettings(Section):
    """The database of the prediction log, and the columns that identify a row there."""

    url: str
    keys: list[str]


class ServingSettings(Section):
    """The settings of the service."""

    host: str
    port: int = Field(ge=1, le=65535)
    workers: int = Field(ge=1)
    model: str
    refresh_seconds: float = Field(gt=0)
    local_copy: str
    api_key_variable: str
    api_keys_file: str | None = None
    allow_unauthenticated: bool = False
    unknown_fields: Literal["refuse", "tell", "ignore"] = "tell"
    missing: list[str] = Field(default=[])
    limits: Limits
    loaded: LoadedLimits = LoadedLimits()
    log: LogSettings | Literal[False]

    @property
    def key_columns(self) -> list[str]:
        """The columns that identify a row in the prediction log; none without a log."""
        return self.log.keys if self.log else []


class ManySettings(Section):
    """The settings of a service with many models.

    `shared` are those of the service, which `models` has for each model. `segments` has `table.where` by model, and
    `default` predicts the rows in no segment.
    """

    shared: ServingSettings
    models: dict[str, ServingSettings]
    segments: dict[str, dict[str, Any]]
    default: str | None
