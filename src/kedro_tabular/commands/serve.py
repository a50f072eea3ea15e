"""`kedro serve` and `kedro outcomes`: predictions over HTTP, and their outcomes."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from .. import lineage, serving
from ..config import POOLED, ConfigLoader, model_names, read_segments, states
from ..contract import Contract
from ..errors import reports_user_errors
from ..serving import log as prediction_log
from .conf import load_conf, require_model, split_reference
from .terminal import reported


@click.command()
@click.option("--host", help="Address to listen on; by default serving.host of conf/.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--workers", type=int, help="Number of processes.")
@click.option(
    "--model", metavar="REF", help="An alias, which is followed as it moves, or a version number; of one: NAME@ALIAS."
)
@click.option("--fetch-only", is_flag=True, help="Store the version in serving.local_copy, as for an image, and end.")
@click.pass_obj
@reports_user_errors
def serve(metadata: ProjectMetadata, fetch_only: bool, model: str | None, **options: Any) -> None:
    """Serve the champion over HTTP: POST /predict; the other endpoints are listed at /docs.

    In a project with many models, the champions of all; --model=NAME@champion, NAME/3 or KEDRO_MODEL serves one.
    """
    conf, reference = _load_served(metadata, model)
    os.chdir(metadata.project_path)  # paths of conf/ are relative to it
    # A request has few rows: threads would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Without the registry the local copy is served, so do not wait for it.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")
    given = {name: value for name, value in (options | {"model": reference}).items() if value is not None}
    settings, registry = _read_settings(conf, given), conf["mlflow"]["server"]["mlflow_tracking_uri"]
    names = _served_models(metadata, conf)
    lineage.export_credentials(conf)
    with reported(serving.DeploymentError):
        if names:
            many = _read_many(metadata, settings, names)
            (serving.fetch_many if fetch_only else serving.serve_many)(many, registry)
        else:
            run = serving.fetch if fetch_only else serving.serve
            run(settings, conf["parameters"]["table"]["name"], registry)


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
    names = _served_models(metadata, conf)
    many = _read_many(metadata, _read_settings(conf, {}), names) if names else None
    if many is not None and many.default:  # all models know its columns
        conf = load_conf(metadata, model=many.default)
    require_model(metadata, conf)
    settings = _read_settings(conf, {})
    if not settings.log:
        raise click.ClickException("there is no prediction log: serving.log in conf/ is off")
    contract = Contract.from_parameters(conf["parameters"]["table"])
    table = prediction_log.read_outcome_table(file, settings.log.keys, contract, settings.missing)
    with closing(prediction_log.PredictionLog(settings.log.url)) as log:
        if many is not None:
            unmatched = prediction_log.add_outcomes_of_models(log, many, serving.Router(many.segments), table)
        else:
            unmatched = log.add_outcomes(contract.name, table)
    click.echo(f"{len(table):,} outcomes stored, {unmatched:,} of them without a prediction so far")


def _load_served(metadata: ProjectMetadata, text: str | None) -> tuple[ConfigLoader, str | None]:
    """The configuration of the model that is served, and its version or alias; None for that of conf/.

    Raises:
        ClickException: there is no such model.
    """
    name, reference = (None, None) if text is None else split_reference(text)
    conf = load_conf(metadata, model=name if name in model_names(metadata.project_path / "conf") else None)
    if name is not None and name != conf["parameters"]["table"]["name"]:
        raise click.ClickException(f"the project has no model {name}")
    return conf, reference


def _served_models(metadata: ProjectMetadata, conf: ConfigLoader) -> list[str]:
    """The models that are served together; none if one is chosen, or the project has one."""
    return [] if conf.model else model_names(metadata.project_path / "conf")


def _read_many(
    metadata: ProjectMetadata, shared: serving.ServingSettings, names: Sequence[str]
) -> serving.ManySettings:
    """The settings of all models. Raises ClickException: they can't be served together."""
    if shared.model.isdecimal():
        raise click.ClickException(
            f"version {shared.model} of which model? Write NAME/{shared.model}, or give an alias, which each model has"
        )
    conf = metadata.project_path / "conf"
    models = {
        name: _read_settings(load_conf(metadata, model=name), {}) if states(conf, name, "serving") else shared
        for name in names
    }
    others = [name for name, own in models.items() if _url(own) != _url(shared)]
    if others:
        raise click.ClickException(
            f"the models of a service share the prediction log; serving.log.url differs in: {', '.join(others)}"
        )
    default = POOLED if POOLED in models else None
    return serving.ManySettings(shared=shared, models=models, segments=read_segments(conf), default=default)


def _url(settings: serving.ServingSettings) -> str | None:
    return settings.log.url if settings.log else None


def _read_settings(conf: ConfigLoader, given: dict[str, Any]) -> serving.ServingSettings:
    """The settings of conf/ and of the command. A CSV request has the missing-value markers of the training table."""
    markers = conf["catalog"].get("table", {}).get("missing", [])
    return serving.ServingSettings.read("serving", {"missing": markers} | conf["parameters"]["serving"] | given)
