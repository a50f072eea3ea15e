"""`kedro promote` and `kedro rollback`: what is deployed."""

import json
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from ..errors import reports_user_errors
from .models import JSON, MODEL, connect, find_version


@click.command()
@click.argument("reference", metavar="REF")
@click.option("--force", is_flag=True, help="Promote a version that the gate did not pass; needs --reason.")
@click.option("--reason", default="", help="Why; it is kept with the version.")
@MODEL
@JSON
@click.pass_obj
@reports_user_errors
def promote(
    metadata: ProjectMetadata, reference: str, force: bool, reason: str, model: str | None, as_json: bool
) -> None:
    """Make a version champion, if the gate passed it.

    REF is a version number or an alias such as challenger.
    """
    settings = connect(metadata)
    name = model or settings["table"]["name"]
    from ..registry import aliases

    record = find_version(name, reference)
    verdict = record.tags.get(aliases.GATE, "never judged")
    if verdict != aliases.PASSED:
        why = f"{verdict} by the gate" if verdict == aliases.REFUSED else verdict
        failed = record.tags.get(aliases.GATE_FAILED)
        if not force:
            raise click.ClickException(
                f"{name} version {record.version} was {why}{f' ({failed})' if failed else ''}. "
                'To deploy it all the same: --force --reason "…"'
            )
        if not reason.strip():
            raise click.ClickException('--force needs --reason "…": it is kept with the version')
    _require_files(name, record.version)
    move = aliases.promote(name, record.version, reason or "kedro promote")
    said = "is champion already" if move.before == record.version else "is champion"
    _tell(f"{name} version {record.version} {said}", name, move._asdict(), as_json)


@click.command()
@click.option("--reason", default="kedro rollback", help="Why; it is kept with the version that is left.")
@MODEL
@JSON
@click.pass_obj
@reports_user_errors
def rollback(metadata: ProjectMetadata, reason: str, model: str | None, as_json: bool) -> None:
    """Make the version that was champion before champion again."""
    settings = connect(metadata)
    name = model or settings["table"]["name"]
    from ..registry import aliases

    try:
        previous = aliases.get_alias_version(name, aliases.PREVIOUS)
        if previous not in (None, aliases.get_alias_version(name, aliases.CHAMPION)):
            _require_files(name, str(previous))
        move = aliases.rollback(name, reason)
    except aliases.PromotionError as error:
        raise click.ClickException(str(error)) from error
    said = f"{name} version {move.champion} is champion again, in place of version {move.before}"
    _tell(said, name, move._asdict(), as_json)


def _require_files(name: str, version: str) -> None:
    """Refuse to deploy what can't be loaded."""
    from mlflow.exceptions import MlflowException
    from mlflow.models import get_model_info

    try:
        get_model_info(f"models:/{name}/{version}")
    except (MlflowException, OSError) as error:
        raise click.ClickException(f"the files of {name} version {version} can't be read: {error}") from error


def _tell(said: str, name: str, move: dict[str, Any], as_json: bool) -> None:
    click.echo(json.dumps({"model": name} | move) if as_json else said)
