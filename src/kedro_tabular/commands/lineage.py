"""`kedro lineage` and `kedro reproduce`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata

from ..errors import reports_user_errors
from .terminal import make_console, make_table

if TYPE_CHECKING:
    from ..lineage import Origin, Reader


@click.command()
@click.argument("reference", metavar="REF")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--verify", is_flag=True, help="Check that code, data and model can still be had as recorded.")
@click.pass_obj
@reports_user_errors
def lineage(metadata: ProjectMetadata, reference: str, as_json: bool, verify: bool) -> None:
    """Show where a model or a file comes from.

    REF is a version number, an alias such as champion, a run id, or the md5 or path of a file.
    """
    reader = _reader(metadata)
    origin = _read(reader, reference)
    if as_json:
        click.echo(json.dumps(origin.as_dict(), indent=2))
    else:
        _show(origin)
    if verify:
        from ..lineage import find_faults

        for fault in find_faults(origin, metadata.project_path, reader.model):
            raise click.ClickException(f"not as recorded: {fault}")
        click.echo("verified: code, data, environment and model are all to be had as recorded", err=as_json)


@click.command()
@click.argument("reference", metavar="REF")
@click.option("--install", is_flag=True, help="Build the environment from the recorded lock file first.")
@click.pass_obj
@reports_user_errors
def reproduce(metadata: ProjectMetadata, reference: str, install: bool) -> None:
    """Train a version again from its recorded code, data and parameters, and compare.

    REF is a version number, an alias or a run id. The workspace stays as it is.
    """
    from ..lineage import GitError, ReproductionError
    from ..lineage import reproduce as run_again

    reader = _reader(metadata)
    origin = _read(reader, reference)
    try:
        verdicts = run_again(origin, reader, metadata.project_path, install)
    except (ReproductionError, GitError, LookupError) as error:
        raise click.ClickException(str(error)) from error
    table = make_table("Reproduction", "Item", "Recorded", "Reproduced", "Verdict")
    for verdict in verdicts:
        said = "identical" if verdict.identical else "different"
        table.add_row(verdict.item, verdict.recorded, verdict.reproduced, said)
    make_console().print(table)
    different = [v.item for v in verdicts if not v.identical and v.item != "environment"]
    if different:
        raise click.ClickException(f"not reproduced: {', '.join(different)}")
    click.echo("reproduced: identical model, metrics and predictions")


def _reader(metadata: ProjectMetadata) -> "Reader":
    from ..lineage import (
        Catalog,
        Reader,  # brings in DVC, which other commands need not wait for
    )

    with KedroSession.create(metadata.project_path) as session:
        context = session.load_context()  # type: ignore[attr-defined]  # sets MLflow up as conf/ says
        catalog = Catalog(context.config_loader["catalog"])
        return Reader(Path(metadata.project_path), catalog, context.config_loader["parameters"]["table"]["name"])


def _read(reader: "Reader", reference: str) -> "Origin":
    try:
        return reader.read(reference)
    except LookupError as error:
        raise click.ClickException(str(error)) from error


def _show(origin: "Origin") -> None:
    console = make_console()
    head: dict[str, Any] = {"version": origin.version or "none", "aliases": ", ".join(origin.aliases) or "none"}
    head |= {"run": f"{origin.run} ({origin.status})"}
    head |= {f"code {name}": value for name, value in origin.code.items()}
    head |= {f"environment {name}": value for name, value in origin.environment.items()}
    for name, value in head.items():
        console.print(f"{name:22} {value}", highlight=False)
    files = make_table("Data", "Dataset", "Path", "md5", "Bytes", "Workspace", "Cache", "Remote")
    for file in origin.data:
        places = ["yes" if here else "no" for here in (file.workspace, file.cache, file.remote)]
        size = f"{file.size:,}" if file.size is not None else ""
        files.add_row(file.dataset, file.path, file.md5, size, *places)
    console.print(files)
    for title, values in (("Metrics", origin.metrics), ("Parameters", origin.parameters)):
        table = make_table(title, "Name", "Value")
        for key, item in values.items():
            table.add_row(key, str(item))
        console.print(table)
    if origin.users:
        console.print(f"runs that read or wrote it: {', '.join(origin.users)}", highlight=False)
