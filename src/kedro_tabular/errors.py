"""Errors that a user can put right, told in a line or two instead of a traceback."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.io import DatasetError
from kedro.validation.exceptions import DataValidationError, ValidationConfigurationError
from omegaconf.errors import OmegaConfBaseException
from pandas.errors import MergeError
from yaml import YAMLError

from .contract import ContractError
from .parameters import ParameterError


class AlertError(Exception):
    """Monitoring has found what the run was told to fail on (`fail_on`)."""


# What a user can put right in the data or in conf/. Anything else is a fault of the code, with its traceback.
_USER_ERRORS = (
    AlertError,
    ContractError,
    DataValidationError,
    DatasetError,
    MergeError,
    MissingConfigException,
    OmegaConfBaseException,
    ParameterError,
    ValidationConfigurationError,
    YAMLError,
)


def reports_user_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a command, ending in a ClickException for what a user can put right."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except _USER_ERRORS as error:
            raise click.ClickException(explain(error)) from error

    return guarded


def explain(error: BaseException) -> str:
    """What went wrong and what to do, without the frames of a traceback."""
    for cause in _chain(error):
        if isinstance(cause, FileNotFoundError):
            path = Path(cause.filename or str(cause))
            shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            return f"{shown} is missing. {_how_to_get(shown)}"
        if isinstance(cause, ContractError | ParameterError):
            return str(cause)
    return str(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _how_to_get(path: Path) -> str:
    pointer = path.with_name(path.name + ".dvc")
    if pointer.exists():
        return f"Fetch it with: dvc pull {pointer}"
    return "Run the pipeline that makes it first, for example: kedro run --pipeline=train"
