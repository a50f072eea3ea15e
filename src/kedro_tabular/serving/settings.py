"""The section `serving` of the parameters."""

from typing import Literal

from pydantic import Field

from ..parameters import Section


class Limits(Section):
    """What one request may ask for."""

    body_mb: float = Field(gt=0)
    rows: int = Field(ge=1)
    explained_rows: int = Field(ge=1)
    seconds: float = Field(gt=0)


class LogSettings(Section):
    """Where predictions are stored, and the columns that tell one case from another."""

    url: str
    keys: list[str]


class Serving(Section):
    """How the service runs."""

    host: str
    port: int = Field(ge=1, le=65535)
    workers: int = Field(ge=1)
    model: str
    refresh_seconds: float = Field(gt=0)
    local_copy: str
    api_key_variable: str
    limits: Limits
    log: LogSettings | Literal[False]
