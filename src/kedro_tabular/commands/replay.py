"""`kedro replay`: the rows that training never saw, sent through a running server as if they came in now."""

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.startup import ProjectMetadata

from ..errors import reports_user_errors
from .serve import load_conf

if TYPE_CHECKING:
    import pandas as pd

    from ..serving import Replay, Serving, Span

_TABLE = "live_table"
_DAY = click.DateTime(["%Y-%m-%d"])


def _read_delay(context: click.Context, option: click.Parameter, text: str) -> "pd.Timedelta":
    import pandas as pd

    try:
        delay = pd.Timedelta(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}; say for example 1d or 6h") from error
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
    help="How much faster than real time, 86400 is a day a second; by default as fast as the server answers.",
)
@click.option(
    "--outcomes-after",
    default="1d",
    metavar="TIME",
    callback=_read_delay,
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
    outcomes_after: "pd.Timedelta",
) -> None:
    """Send the catalog's live_table through a running server: a live system within minutes.

    The rows go in the order of their time, and their outcomes follow as they become known. The server is that
    of `kedro serve`, in another terminal.
    """
    loader = load_conf(metadata)
    os.chdir(metadata.project_path)  # paths of conf/ are relative to it
    from ..contract import Contract
    from ..serving import Client, Replay, Serving, cut

    contract = Contract.from_parameters(loader["parameters"]["table"])
    settings = Serving.read("serving", loader["parameters"]["serving"])
    if not settings.log:
        raise click.ClickException("outcomes need the prediction log, and serving.log in conf/ is off")
    span = cut(_load_table(loader), contract, first, last)
    url = url or f"{settings.host}:{settings.port}"
    url = url if "://" in url else f"http://{url}"
    # The server gives up first, and says so.
    client = Client(url, os.environ.get(settings.api_key_variable), settings.limits.seconds + 1)
    running = Replay(client, span, contract, settings.log.keys, settings.limits.rows)
    _run(running, span, url, settings, outcomes_after=outcomes_after, speed=speed)
    _tell(running, span, dated=contract.time is not None)


def _load_table(loader: OmegaConfigLoader) -> Any:
    from kedro.io import DataCatalog

    try:
        credentials = loader["credentials"]
    except MissingConfigException:
        credentials = None
    return DataCatalog.from_config(loader["catalog"], credentials).load(_TABLE)


def _run(running: "Replay", span: "Span", url: str, settings: "Serving", **how: Any) -> None:
    import requests
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..serving import RefusedError

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task(f"{span.since:%Y-%m-%d}", total=len(span.table))
            for clock in running.run(**how):
                progress.update(bar, completed=running.answered, description=f"{clock:%Y-%m-%d}")
    except RefusedError as error:
        key = f"; it belongs into the environment variable {settings.api_key_variable}"
        why = f"the server refuses: {error}{key if error.status == requests.codes.unauthorized else ''}"
        raise click.ClickException(why + _what_is_done(running)) from error
    except requests.ConnectionError as error:
        why = f"no server answers at {url}: start it with `kedro serve` in another terminal"
        raise click.ClickException(why + _what_is_done(running)) from error
    except requests.RequestException as error:
        raise click.ClickException(f"{url} gives no answer: {error}{_what_is_done(running)}") from error


def _what_is_done(running: "Replay") -> str:
    if not running.answered:
        return ""
    return f". Until then {running.answered:,} rows were answered; they are in the prediction log"


def _tell(running: "Replay", span: "Span", dated: bool) -> None:
    versions = ", ".join(f"{rows:,} by version {version}" for version, rows in running.versions.items())
    click.echo(
        f"{running.answered:,} rows answered: {versions}; {running.by_fallback:,} of them by the fallback. "
        f"{running.outcomes:,} outcomes sent, {running.answered - running.outcomes:,} not known by the end."
    )
    days = f" --params=since={span.since:%Y-%m-%d},until={span.until:%Y-%m-%d}"
    click.echo(f"Next: kedro run --pipeline=monitoring{days if dated else ''}")
