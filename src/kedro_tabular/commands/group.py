"""The group of commands that Kedro loads from this plugin."""

import click

from .add_models import add
from .adopt import adopt
from .deploy import promote, rollback
from .dvc import dvc
from .kedro_commands import jupyter, run
from .lineage import lineage, reproduce
from .log import log
from .many_models import score, train
from .models import models
from .monitor import monitor
from .replay import replay
from .serve import outcomes, serve
from .ui import ui
from .verdict import gate


@click.group(name="kedro-tabular")
def cli() -> None:
    """Adopt a table, serve, monitor and trace models."""


_OF_THE_PROJECT, _OF_MODELS = (run, jupyter, dvc, adopt, ui), (models, gate, promote, rollback, lineage, reproduce)
for command in (*_OF_THE_PROJECT, *_OF_MODELS, serve, outcomes, log, replay):
    cli.add_command(command)
for command in (add, train, score, monitor):
    models.add_command(command)
