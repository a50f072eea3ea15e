"""The group of commands that Kedro loads from this plugin."""

import traceback
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.utils import load_obj

from ..errors import reports_user_errors
from .adopt import adopt
from .deploy import promote, rollback
from .dvc import dvc
from .lineage import lineage, reproduce
from .log import log
from .models import models
from .replay import replay
from .serve import outcomes, serve

_RUNNERS = "kedro.runner"
# Where Kedro raises a ValueError if there is no such pipeline, node, tag or dataset.
_SELECTION = ("kedro.framework.session", "kedro.pipeline")


@reports_user_errors
def _run(**options: Any) -> None:
    """Kedro's own command, except that errors of the user end in a line instead of a traceback."""
    assert kedro_run.callback is not None
    try:
        load_obj(options["runner"] or "SequentialRunner", _RUNNERS)
    except (AttributeError, ImportError, ValueError) as error:
        raise click.ClickException(f"--runner {options['runner']}: {error}") from error
    try:
        kedro_run.callback(**options)
    except ValueError as error:
        if not _raised_in(error).startswith(_SELECTION):
            raise
        raise click.ClickException(" ".join(str(error).split())) from error


def _raised_in(error: BaseException) -> str:
    """The module that raised an error."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals["__name__"])


run = click.Command("run", params=kedro_run.params, callback=_run, help=kedro_run.help)


@click.group(name="kedro-tabular")
def cli() -> None:
    """Adopt a table, serve, monitor and trace models."""


for command in (run, dvc, adopt, lineage, reproduce, models, promote, rollback, serve, outcomes, log, replay):
    cli.add_command(command)
