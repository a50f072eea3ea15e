"""`kedro models add`: a model for each value of a column of the table that the project has."""

import os
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata
from kedro.io import DataCatalog, DatasetError

from .. import adoption
from ..config import read_conf
from ..contract import Contract
from ..errors import reports_user_errors
from ..evaluation import Parts
from .dvc import add_dvc_yaml

_PARTS = ("train_table", "calibration_table", "test_table")


@click.command(name="add")
@click.option("--by", required=True, metavar="COLUMN", help="Its values with rows enough get a model each.")
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff, and change nothing.")
@click.pass_obj
@reports_user_errors
def add(metadata: ProjectMetadata, by: str, dry_run: bool) -> None:
    """Add a folder to conf/models for each value of a column, and one for the model of all rows.

    The project keeps its table; `kedro adopt --by` does the same with another one.
    """
    conf = read_conf(metadata.project_path, "base", model="")
    os.chdir(metadata.project_path)  # paths of conf/ are relative to it
    parameters, changes = conf["parameters"], adoption.Changes(metadata.project_path)
    contract = Contract.from_parameters(parameters["table"])
    lines = adoption.plan_models(contract, _load_parts(conf["catalog"]), by, parameters, changes)
    if changes:
        add_dvc_yaml(metadata, changes)
    click.echo("\n".join(lines))
    if dry_run:
        click.echo(changes.diff() or "nothing would change")
    elif changes:
        changes.apply()
        click.echo('\nNext: git add --all && git commit -m "Add models", kedro models train --all')
    else:
        click.echo("these models are there already: nothing to change")


def _load_parts(catalog: dict[str, Any]) -> Parts:
    """The parts of the table that training uses. Raises ClickException: they are not made yet."""
    datasets = DataCatalog.from_config({name: catalog[name] for name in _PARTS})
    try:
        train, calibration, test = (datasets.load(name) for name in _PARTS)
    except DatasetError as error:
        command = "kedro run --pipelines=ingestion,data_prep"
        raise click.ClickException(f"the parts of the table are not made yet: {command}") from error
    return Parts(train, calibration, test, live=train.head(0))
