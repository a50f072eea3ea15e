"""The group of commands that Kedro loads from this plugin."""

import click

from .adopt import adopt
from .deploy import promote, rollback
from .dvc import dvc
from .kedro_commands import jupyter, run
from .lineage import lineage, reproduce
from .log import log
from .models import models
from .replay import replay
from .serve import outcomes, serve
from .ui import ui
from .verdict import gate


@click.group(name="kedro-tabular")
def cli() -> None:
    """Adopt a table, serve, monitor and trace models."""


_COMMANDS = [
    run,
    jupyter,
    dvc,
    adopt,
    lineage,
    reproduce,
    models,
    promote,
    rollback,
    serve,
    outcomes,
    log,
    replay,
    ui,
    gate,
]
for command in _COMMANDS:
    cli.add_command(command)
