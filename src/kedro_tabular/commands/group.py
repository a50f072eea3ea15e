"""The group of commands that Kedro loads from this plugin."""

import click
from kedro.framework.cli.project import run as kedro_run

from ..errors import reports_user_errors
from .adopt import adopt
from .deploy import promote, rollback
from .dvc import dvc
from .lineage import lineage, reproduce
from .models import models
from .replay import replay
from .serve import outcomes, serve

assert kedro_run.callback is not None
# Kedro's own command, except that errors of the user end in a line instead of a traceback.
run = click.Command(
    "run", params=kedro_run.params, callback=reports_user_errors(kedro_run.callback), help=kedro_run.help
)


@click.group(name="kedro-tabular")
def cli() -> None:
    """Adopt a table, serve, monitor and trace models."""


for command in (run, dvc, adopt, lineage, reproduce, models, promote, rollback, serve, outcomes, replay):
    cli.add_command(command)
