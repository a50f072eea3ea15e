"""Errors that a user can correct, and outages: commands report them without a traceback."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from kedro.config import MissingConfigException
from kedro.io import DatasetError
from kedro.validation.exceptions import DataValidationError, ValidationConfigurationError
from omegaconf.errors import OmegaConfBaseException
from pandas.errors import MergeError
from yaml import YAMLError

from .contract import ContractError
from .files import describe_full_disk, is_disk_full
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
# What the clients of servers raise, by name: to import them takes seconds.
_SERVER_ERRORS = {
    "requests.exceptions.RequestException",
    "botocore.exceptions.BotoCoreError",
    "botocore.exceptions.ClientError",
    "boto3.exceptions.Boto3Error",
    "mlflow.exceptions.RestException",
    "sqlalchemy.exc.OperationalError",
}
_MAX_LENGTH = 400  # characters of a server's message


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
            raise click.ClickException(message) from error

    return wrapper


def _describe_user_error(error: Exception) -> str | None:
    """The message of one of these errors, unless it is only Kedro's frame of an outage, or a full disk is the cause."""
    if not isinstance(error, _USER_ERRORS):
        return None
    is_frame = "Failed while " in str(error) or any(is_disk_full(cause) for cause in _causes(error))
    return (describe_outage(error) if is_frame else None) or describe_error(error)


def describe_outage(error: BaseException) -> str | None:
    """A line about the full disk, or the server that does not answer, which caused an error; None if none did."""
    causes = list(_causes(error))
    of_disks = [cause for cause in causes if is_disk_full(cause)]
    if of_disks:
        return describe_full_disk(of_disks[-1])  # that of the operating system names the file
    of_clients = [cause for cause in causes if _class_names(cause) & _SERVER_ERRORS]
    of_clients += [cause for cause in causes if str(cause).startswith("API request to")]  # MLflow's, without a cause
    return _describe_server_error(of_clients[0], causes[-1]) if of_clients else None


def _class_names(error: BaseException) -> set[str]:
    return {f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__}


def _describe_server_error(error: BaseException, innermost: BaseException) -> str:
    address = urlsplit(getattr(getattr(error, "request", None), "url", None) or "")
    lines = str(error if address.hostname is None else innermost).splitlines()
    reason = (lines[0] if lines else type(error).__name__)[:_MAX_LENGTH]
    if address.hostname is None:
        return f"a server that is needed reports an error: {reason}"
    port = f":{address.port}" if address.port else ""  # without user and password
    return f"{address.scheme}://{address.hostname}{port} does not answer: {reason}"


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
