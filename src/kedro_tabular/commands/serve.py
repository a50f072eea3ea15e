"""`kedro serve` and `kedro outcomes`: the deployed model behind HTTP, and what came of its predictions."""

import os
from pathlib import Path
from typing import Any

import click
from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings as kedro_settings
from kedro.framework.startup import ProjectMetadata

from ..errors import reports_user_errors
from ..hooks import register_params_resolver


@click.command()
@click.option("--host", help="Address to listen on; by default serving.host of conf/.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--workers", type=int, help="Number of processes.")
@click.option("--model", metavar="REF", help="An alias, which is followed as it moves, or a version number.")
@click.pass_obj
@reports_user_errors
def serve(metadata: ProjectMetadata, **options: Any) -> None:
    """Answer over HTTP with the champion: POST /predict, and /docs for all else."""
    loader = load_conf(metadata)
    parameters = loader["parameters"]
    given = {name: value for name, value in options.items() if value is not None}
    os.chdir(metadata.project_path)  # paths of conf/ are relative to it
    # Threads of its own would only wait for the others: a request has few rows.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A registry that can't be reached must not be waited for: there is the local copy.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    from ..serving import DeploymentError, Serving
    from ..serving import serve as run

    settings = Serving.read("serving", parameters["serving"] | given)
    server = loader["mlflow"]["server"]
    if server.get("credentials"):
        os.environ.update({n: str(v) for n, v in loader["credentials"][server["credentials"]].items()})
    try:
        run(settings, parameters["table"]["name"], server["mlflow_tracking_uri"])
    except DeploymentError as error:
        raise click.ClickException(str(error)) from error


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
@reports_user_errors
def outcomes(metadata: ProjectMetadata, file: Path) -> None:
    """Store the outcomes of a FILE (CSV, Parquet, JSON lines) in the prediction log.

    It has a column for the outcome, named `outcome` or as the target, and `id` or the columns of
    serving.log.keys to find the predictions by.
    """
    parameters, file = load_conf(metadata)["parameters"], file.absolute()
    os.chdir(metadata.project_path)
    from ..contract import Contract
    from ..serving import Serving
    from ..serving.log import PredictionLog, read_outcome_table

    settings = Serving.read("serving", parameters["serving"])
    if not settings.log:
        raise click.ClickException("there is no prediction log: serving.log in conf/ is off")
    found = read_outcome_table(file, settings.log.keys, Contract.from_parameters(parameters["table"]))
    log = PredictionLog(settings.log.url)
    missing = log.add_outcomes(found)
    log.close()
    click.echo(f"{len(found):,} outcomes stored, {missing:,} of them without a prediction so far")


def load_conf(metadata: ProjectMetadata) -> OmegaConfigLoader:
    """The project's conf/, with the parameters on offer to it."""
    # Not through a Kedro session, whose hooks would start MLflow and an experiment.
    environment = os.environ.get("KEDRO_ENV")  # as in a session
    loader = OmegaConfigLoader(
        str(metadata.project_path / "conf"), env=environment, **kedro_settings.CONFIG_LOADER_ARGS
    )
    register_params_resolver(loader["parameters"])
    return loader
