"""Typed sections of the parameters, so that a wrong value is refused by the name of its key."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError


class ParameterError(ValueError):
    """A value in conf/ that can't be used; the message names its key."""


class Section(BaseModel):
    """One section of the parameters: frozen, with no keys but the declared ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, section: str, values: Mapping[str, Any]) -> Self:
        """Build the section from its YAML values.

        Raises:
            ParameterError: naming each key that is missing, unknown or of a wrong value.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ParameterError(_explain(section, error)) from error


def _explain(section: str, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join([section, *(str(part) for part in problem["loc"])])
        given = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
        lines.append(f"  {key}: {problem['msg'].removeprefix('Value error, ')}{given}")
    return "these parameters can't be used, correct them in conf/:\n" + "\n".join(lines)
