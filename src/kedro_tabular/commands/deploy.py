"""`kedro promote` and `kedro rollback`: which version is champion."""

import json
from functools import partial

import click
from kedro.framework.startup import ProjectMetadata

from .. import registry
from ..errors import reports_user_errors
from .conf import connect_mlflow, connect_reference, require_model
from .models import find_version
from .terminal import JSON, MODEL, reported


@click.command()
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Promote a version that did not pass the gate; needs --reason.")
@click.option("--reason", default="", help="Why; it is stored with the version.")
@MODEL
@JSON
@click.pass_obj
@reports_user_errors
def promote(
    metadata: ProjectMetadata, references: tuple[str, ...], force: bool, reason: str, model: str | None, as_json: bool
) -> None:
    """Make versions champion, if they passed the gate.

    REF is a version number or an alias such as challenger; NAME/3 and NAME@challenger are those of another model. If
    one of several can't be promoted, none is.
    """
    found = [connect_reference(metadata, reference, model) for reference in references]
    records = [find_version(reference.model, reference.text) for reference in found]
    for record in records:
        if record.tags.get(registry.aliases.GATE) != registry.aliases.PASSED:
            _check_forced(record, force, reason)
        _check_files(record.model, record.version)
    for record in records:
        _promote(record, reason, as_json)


def _promote(record: "registry.VersionRecord", reason: str, as_json: bool) -> None:
    name = record.model
    with reported(registry.aliases.PromotionError):
        change = registry.aliases.promote(name, record.version, reason or "kedro promote")
    before = f", in place of version {change.before}" if change.before else ""
    state = "is champion already" if change.before == record.version else f"is champion{before}"
    _print_change(f"{name} version {record.version} {state}", name, change, as_json)


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--reason", default="kedro rollback", help="Why; it is stored with the version that is replaced.")
@MODEL
@JSON
@click.pass_obj
@reports_user_errors
def rollback(metadata: ProjectMetadata, names: tuple[str, ...], reason: str, model: str | None, as_json: bool) -> None:
    """Make the previous champion champion again: of the model of conf/, or of each that is named."""
    conf = connect_mlflow(metadata)
    if not names and model is None:
        require_model(metadata, conf)
    for name in names or (model or conf["parameters"]["table"]["name"],):
        with reported(registry.aliases.PromotionError):
            change = registry.aliases.rollback(name, reason, partial(_check_files, name))
        message = f"{name} version {change.champion} is champion again, in place of version {change.before}"
        _print_change(message, name, change, as_json)


def _check_forced(record: "registry.VersionRecord", force: bool, reason: str) -> None:
    """Refuse a version that did not pass the gate, unless --force and --reason are given."""
    if force and not reason.strip():
        raise click.ClickException('--force needs --reason "…": it is stored with the version')
    if not force:
        verdict = record.tags.get(registry.aliases.GATE, "never judged")
        failed = record.tags.get(registry.aliases.GATE_FAILED)
        raise click.ClickException(
            f"{record.model} version {record.version} was {verdict} by the gate{f' ({failed})' if failed else ''}. "
            'To deploy it all the same: --force --reason "…"'
        )


def _check_files(name: str, version: str) -> None:
    """Refuse a version whose files are not available."""
    from mlflow.exceptions import MlflowException
    from mlflow.models import get_model_info

    try:
        get_model_info(f"models:/{name}/{version}")
    except (MlflowException, OSError) as error:
        raise click.ClickException(f"the files of {name} version {version} can't be read: {error}") from error


def _print_change(message: str, name: str, change: "registry.aliases.ChampionChange", as_json: bool) -> None:
    click.echo(json.dumps({"model": name} | change._asdict()) if as_json else message)
