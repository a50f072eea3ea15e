"""The section `serving` of the parameters."""

from typing import Literal

from pydantic import Field

from ..parameters import Section


class Limits(Section):
    """The limits of one request, and of all that wait."""

    body_mb: float = Field(gt=0)
    rows: int = Field(ge=1)
    explained_rows: int = Field(ge=1)
    seconds: float = Field(gt=0)
    characters: int = Field(default=10_000, ge=1)
    queue_requests: int = Field(1000, ge=1)
    queue_rows: int = Field(20_000, ge=1)
    queue_seconds: float = Field(1, gt=0)


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
    limits: Limits
    log: LogSettings | Literal[False]

    @property
    def key_columns(self) -> list[str]:
        """The columns that identify a row in the prediction log; none without a log."""
        return self.log.keys if self.log else []
