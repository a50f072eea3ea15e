"""Typed sections of the parameters: a wrong value raises an error that names its key."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

OPTIONAL_SECTIONS = ("decision",)  # those that conf/ of an earlier release lacks: the library's defaults apply


class ParameterError(ValueError):
    """An invalid value in conf/; the message names its key."""


class Section(BaseModel):
    """A section of the parameters, in which unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, section: str, values: Mapping[str, Any]) -> Self:
        """Parse the values of a section.

        Raises:
            ParameterError: keys are missing, unknown or have invalid values; the message names them.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ParameterError(_format_errors(section, error)) from error


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters by dotted key; an empty dict stays a value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return flat


def _format_errors(section: str, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join([section, *(str(part) for part in problem["loc"])])
        value = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
        lines.append(f"  {key}: {problem['msg'].removeprefix('Value error, ')}{value}")
    return "invalid parameters in conf/:\n" + "\n".join(lines)
