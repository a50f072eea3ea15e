"""`kedro replay`: send rows that training has not seen through a running server, as if they came in now."""

import os
from datetime import datetime
from typing import Any

import click
import pandas as pd
from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.startup import ProjectMetadata
from kedro.io import DataCatalog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .. import serving
from ..config import POOLED, model_names
from ..contract import Contract
from ..errors import reports_user_errors
from .conf import load_conf, require_model

_TABLE = "live_table"
_DAY = click.DateTime(["%Y-%m-%d"])


def _parse_delay(context: click.Context, option: click.Parameter, text: str) -> pd.Timedelta:
    try:
        delay = pd.Timedelta(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}; use for example 1d or 6h") from error
    if not delay >= pd.Timedelta(0):
        raise click.BadParameter("an outcome can't be known before its row")
    return delay


@click.command()
@click.option("--from", "first", type=_DAY, metavar="DAY", help="First day; by default that of the table.")
@click.option("--to", "last", type=_DAY, metavar="DAY", help="Last day, included.")
@click.option("--url", help="The server; by default at serving.host and serving.port of conf/.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="TIMES",
    help="How many times faster than real time, 86400 is a day a second; by default as fast as possible.",
)
@click.option(
    "--outcomes-after",
    default="1d",
    metavar="TIME",
    callback=_parse_delay,
    help="How long after a row's time its outcome becomes known, by default 1d.",
)
@click.pass_obj
@reports_user_errors
def replay(
    metadata: ProjectMetadata,
    first: datetime | None,
    last: datetime | None,
    url: str | None,
    speed: float,
    outcomes_after: pd.Timedelta,
) -> None:
    """Send the catalog's live_table to a running server, to simulate production traffic within minutes.

    Rows are sent in the order of their time, and each outcome when it becomes known. Start the server with
    `kedro serve` in another terminal.
    """
    conf = load_conf(metadata)
    if not conf.model and POOLED in model_names(metadata.project_path / "conf"):  # the service routes the rows
        conf = load_conf(metadata, model=POOLED)
    require_model(metadata, conf)
    os.chdir(metadata.project_path)  # paths of conf/ are relative to it
    contract = Contract.from_parameters(conf["parameters"]["table"])
    settings = serving.ServingSettings.read("serving", conf["parameters"]["serving"])
    if not settings.log:
        raise click.ClickException("outcomes need the prediction log, and serving.log in conf/ is off")
    period = serving.select_period(_load_table(conf), contract, first, last)
    url = url or f"{settings.host}:{settings.port}"
    url = url if "://" in url else f"http://{url}"
    # The server times out first, with a message.
    client = serving.Client(url, os.environ.get(settings.api_key_variable), settings.limits.seconds + 1)
    run = serving.Replay(client, period, contract, settings.log.keys, settings.limits.rows)
    _run(run, period, url, settings.api_key_variable, outcomes_after=outcomes_after, speed=speed)
    versions = ", ".join(f"{rows:,} by {version}" for version, rows in run.rows_by_version.items())
    click.echo(
        f"{run.rows:,} rows predicted: {versions}; {run.fallback_rows:,} of them by the fallback. "
        f"{run.outcomes:,} outcomes sent, {run.rows - run.outcomes:,} not known by the end."
    )
    days = f" --params=since={period.since:%Y-%m-%d},until={period.until:%Y-%m-%d}" if contract.time else ""
    monitoring = "kedro models monitor --all" if conf.model == POOLED else "kedro run --pipeline=monitoring"
    click.echo(f"Next: {monitoring}{days}")


def _load_table(conf: OmegaConfigLoader) -> Any:
    try:
        credentials = conf["credentials"]
    except MissingConfigException:
        credentials = None
    return DataCatalog.from_config(conf["catalog"], credentials).load(_TABLE)


def _run(
    run: "serving.Replay", period: "serving.ReplayPeriod", url: str, api_key_variable: str, **options: Any
) -> None:
    """Run the replay with a progress bar."""
    import requests  # which other commands do not need

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task(f"{period.since:%Y-%m-%d}", total=len(period.table))
            for clock in run.run(**options):
                progress.update(bar, completed=run.rows, description=f"{clock:%Y-%m-%d}")
    except (serving.ResponseError, requests.RequestException) as error:
        message = f"no response from {url}: {error}"
        if isinstance(error, serving.ResponseError):
            unauthorized = error.status == requests.codes.unauthorized
            hint = f"; set it in the environment variable {api_key_variable}" if unauthorized else ""
            message = f"the server returned an error: {error}{hint}"
        elif isinstance(error, requests.ConnectionError):
            message = f"no server at {url}: start it with `kedro serve` in another terminal"
        if run.rows:
            message += f". {run.rows:,} rows were predicted before that; they are in the prediction log"
        raise click.ClickException(message) from error
