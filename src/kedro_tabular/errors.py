"""Errors that a user can correct: commands report them, as they do outages, without a traceback."""

import functools
import logging
import re
from collections.abc import Callable
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
from .files import is_disk_full
from .outages import causes_of, describe_outage
from .parameters import ParameterError

_QUOTED = re.compile(r"'([^']+)'")


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
    """Decorate the function of a command: errors that a user can correct, and outages, become a ClickException."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except click.ClickException:
            raise
        except Exception as error:
            message = _describe_user_error(error) or describe_outage(error)
            if message is None:
                raise
            # MLflow tries to end its run once more when the process ends: this message is the last one.
            logging.getLogger("urllib3").setLevel(logging.ERROR)
            raise click.ClickException(message) from error

    return wrapper


def _describe_user_error(error: Exception) -> str | None:
    """The message of one of these errors, unless it is only Kedro's frame of an outage, or a full disk is the cause."""
    if not isinstance(error, _USER_ERRORS):
        return None
    is_frame = "Failed while " in str(error) or any(is_disk_full(cause) for cause in causes_of(error))
    return (describe_outage(error) if is_frame else None) or describe_error(error)


def describe_error(error: BaseException) -> str:
    """The message of the cause that a user can correct; for a missing file also how to get it."""
    for cause in causes_of(error):
        if isinstance(cause, FileNotFoundError):
            quoted = _QUOTED.search(str(cause))  # Arrow's error has the path in its text only
            path = Path(cause.filename or (quoted[1] if quoted else str(cause)))
            relative_path = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            return f"{relative_path} is missing. {_how_to_get(relative_path)}"
        if isinstance(cause, ContractError | ParameterError):
            return str(cause)
    return str(error)


def _how_to_get(path: Path) -> str:
    pointer = path.with_name(path.name + ".dvc")
    if pointer.exists():
        return f"Fetch it with: dvc pull {pointer}"
    return "Run the pipeline that makes it first, for example: kedro run --pipeline=train"
