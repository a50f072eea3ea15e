"""Kedro's own commands, except that errors of the user end in a line that says what is wrong."""

import copy
import functools
import traceback
from collections.abc import Callable
from typing import Any

import click
from kedro.framework.cli.jupyter import jupyter as kedro_jupyter
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError
from kedro.utils import load_obj

from ..errors import reports_user_errors

_RUNNERS = "kedro.runner"
# Where Kedro raises a ValueError if there is no such pipeline, node, tag or dataset.
_SELECTION = ("kedro.framework.session", "kedro.pipeline")


def _with_callback(command: click.Command, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> click.Command:
    assert command.callback is not None
    wrapped = copy.copy(command)
    wrapped.callback = wrap(command.callback)
    return wrapped


def _checks_selection(callback: Callable[..., Any]) -> Callable[..., Any]:
    @reports_user_errors
    @functools.wraps(callback)
    def run(**options: Any) -> None:
        try:
            load_obj(options["runner"] or "SequentialRunner", _RUNNERS)
        except (AttributeError, ImportError, ValueError) as error:
            raise click.ClickException(f"--runner {options['runner']}: {error}") from error
        try:
            callback(**options)
        except ValueError as error:
            if not _raised_in(error).startswith(_SELECTION):
                raise
            raise click.ClickException(" ".join(str(error).split())) from error

    return run


def _raised_in(error: BaseException) -> str:
    """The module that raised an error."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals["__name__"])


def _shows_message(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Show the message of Kedro's errors: with this release of click, Kedro shows `NoneType: None` instead."""

    @functools.wraps(callback)
    def shown(*args: Any, **options: Any) -> None:
        try:
            callback(*args, **options)
        except KedroCliError as error:
            missing = error.__cause__.name if isinstance(error.__cause__, ModuleNotFoundError) else None
            how = f"{missing} is not installed: add it to pyproject.toml, or pip install {missing}"
            raise click.ClickException(how if missing else error.message) from error

    return shown


run = _with_callback(kedro_run, _checks_selection)
jupyter = copy.copy(kedro_jupyter)
jupyter.commands = {name: _with_callback(command, _shows_message) for name, command in kedro_jupyter.commands.items()}
