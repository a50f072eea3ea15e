"""Errors that a user can correct: commands report them without a traceback."""

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
    """Monitoring raised an alert, on which the run fails because of `fail_on`."""


# Caused by the data or by conf/. Any other error is a bug and keeps its traceback.
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
    """Decorate the function of a command: errors that a user can correct become a ClickException."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except _USER_ERRORS as error:
            raise click.ClickException(describe_error(error)) from error

    return wrapper


def describe_error(error: BaseException) -> str:
    """The message of the cause that a user can correct; for a missing file also how to get it."""
    for cause in _causes(error):
        if isinstance(cause, FileNotFoundError):
            path = Path(cause.filename or str(cause))
            relative_path = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            return f"{relative_path} is missing. {_how_to_get(relative_path)}"
        if isinstance(cause, ContractError | ParameterError):
            return str(cause)
    return str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _how_to_get(path: Path) -> str:
    pointer = path.with_name(path.name + ".dvc")
    if pointer.exists():
        return f"Fetch it with: dvc pull {pointer}"
    return "Run the pipeline that makes it first, for example: kedro run --pipeline=train"
