"""`kedro serve` and `kedro outcomes`: predictions over HTTP, and their outcomes."""

import os
from pathlib import Path
from typing import Any

import click
from kedro.config import OmegaConfigLoader
from kedro.framework.startup import ProjectMetadata

from .. import lineage, serving
from ..contract import Contract
from ..errors import reports_user_errors
from ..serving import log as prediction_log
from .conf import load_conf, require_model
from .terminal import reported


@click.command()
@click.option("--host", help="Address to listen on; by default serving.host of conf/.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--workers", type=int, help="Number of processes.")
@click.option("--model", metavar="REF", help="An alias, which is followed as it moves, or a version number.")
@click.option("--fetch-only", is_flag=True, help="Store the version in serving.local_copy, as for an image, and end.")
@click.pass_obj
@reports_user_errors
def serve(metadata: ProjectMetadata, fetch_only: bool, **options: Any) -> None:
    """Serve the champion over HTTP: POST /predict; the other endpoints are listed at /docs."""
    conf = load_conf(metadata)
    require_model(metadata, conf)
    parameters, server = conf["parameters"], conf["mlflow"]["server"]
    os.chdir(metadata.project_path)  # paths of conf/ are relative to it
    # A request has few rows: threads would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Without the registry the local copy is served, so do not wait for it.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")
    given = {name: value for name, value in options.items() if value is not None}
    settings = _read_settings(conf, given)
    lineage.export_credentials(conf)
    with reported(serving.DeploymentError):
        run = serving.fetch if fetch_only else serving.serve
        run(settings, parameters["table"]["name"], server["mlflow_tracking_uri"])


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
@reports_user_errors
def outcomes(metadata: ProjectMetadata, file: Path) -> None:
    """Store the outcomes of a FILE (CSV, Parquet, JSON lines) in the prediction log.

    It has a column for the outcome, named `outcome` or as the target, and `id` or the columns of
    serving.log.keys to find the predictions by. The column `outcome_time` is optional: when the outcome happened.
    """
    conf, file = load_conf(metadata), file.absolute()
    os.chdir(metadata.project_path)
    settings = _read_settings(conf, {})
    if not settings.log:
        raise click.ClickException("there is no prediction log: serving.log in conf/ is off")
    contract = Contract.from_parameters(conf["parameters"]["table"])
    table = prediction_log.read_outcome_table(file, settings.log.keys, contract, settings.missing)
    log = prediction_log.PredictionLog(settings.log.url)
    unmatched = log.add_outcomes(contract.name, table)
    log.close()
    click.echo(f"{len(table):,} outcomes stored, {unmatched:,} of them without a prediction so far")


def _read_settings(conf: OmegaConfigLoader, given: dict[str, Any]) -> serving.ServingSettings:
    """The settings of conf/ and of the command. A CSV request has the missing-value markers of the training table."""
    markers = conf["catalog"].get("table", {}).get("missing", [])
    return serving.ServingSettings.read("serving", {"missing": markers} | conf["parameters"]["serving"] | given)
