"""`kedro log`: work on the prediction log."""

import os
from datetime import timedelta

import click
import pandas as pd
from kedro.framework.startup import ProjectMetadata

from .. import serving
from ..errors import reports_user_errors
from ..serving import log as prediction_log
from .conf import load_conf
from .terminal import MODEL


def _parse_age(context: click.Context, option: click.Parameter, text: str) -> timedelta:
    try:
        age = pd.Timedelta(text).to_pytimedelta()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{error}; use for example 90d or 12h") from error
    if not age > timedelta(0):
        raise click.BadParameter("use a time such as 90d or 12h")
    return age


@click.group()
def log() -> None:
    """Work on the prediction log."""


@log.command()
@click.option(
    "--older-than", "age", required=True, metavar="AGE", callback=_parse_age, help="Such as 90d, since the prediction."
)
@MODEL
@click.pass_obj
@reports_user_errors
def prune(metadata: ProjectMetadata, age: timedelta, model: str | None) -> None:
    """Delete old predictions of a model together with their outcomes.

    The service may run meanwhile. Outcomes of predictions that stay are kept.
    """
    parameters = load_conf(metadata)["parameters"]
    os.chdir(metadata.project_path)  # paths of conf/ are relative to it
    settings = serving.ServingSettings.read("serving", parameters["serving"])
    opened = prediction_log.PredictionLogDataset(settings.log.url if settings.log else None).open_log()
    name, before = model or parameters["table"]["name"], prediction_log.utc_now() - age
    try:
        deleted = sum(prediction_log.prune(opened, name, before))
    finally:
        opened.close()
    click.echo(
        f"{deleted:,} predictions of {name} from before {before:%Y-%m-%d %H:%M} UTC deleted, with their outcomes"
    )
