"""`kedro lineage` and `kedro reproduce`."""

import json
from typing import TYPE_CHECKING

import click
from kedro.framework.startup import ProjectMetadata

from ..errors import reports_user_errors
from ..kedro_project import find_producers
from .conf import connect_reference
from .terminal import JSON, make_console, make_table, reported

if TYPE_CHECKING:
    from ..lineage import Origin, OriginReader


@click.command()
@click.argument("reference", metavar="REF")
@JSON
@click.option("--verify", is_flag=True, help="Check that code, data and model are still available as recorded.")
@click.pass_obj
@reports_user_errors
def lineage(metadata: ProjectMetadata, reference: str, as_json: bool, verify: bool) -> None:
    """Show where a model or a file comes from.

    REF is a version number, an alias such as champion, a run id, or the md5 or path of a file. NAME/3 and
    NAME@champion are those of another model.
    """
    reader, origin = _read_origin(metadata, reference)
    if as_json:
        click.echo(json.dumps(origin.as_dict(), indent=2))
    else:
        _print_origin(origin)
    if verify:
        from ..lineage import find_problems, find_reproducible

        producers = find_producers()
        for line in find_reproducible(origin, producers):
            click.echo(line, err=as_json)
        problems = list(find_problems(origin, metadata.project_path, reader.model, producers))
        if problems:
            raise click.ClickException("\n  ".join(["not as recorded:", *problems]))
        click.echo("verified: code, data, environment and model are available as recorded", err=as_json)


@click.command()
@click.argument("reference", metavar="REF")
@click.option("--install", is_flag=True, help="Build the environment from the recorded lock file first.")
@click.pass_obj
@reports_user_errors
def reproduce(metadata: ProjectMetadata, reference: str, install: bool) -> None:
    """Train a version again from its recorded code, data and parameters, and compare.

    REF is a version number, an alias or a run id. The workspace stays as it is.
    """
    reader, origin = _read_origin(metadata, reference)
    from ..lineage import GitError, ReproductionError
    from ..lineage import reproduce as run_again

    with reported(ReproductionError, GitError, LookupError):
        items = run_again(origin, reader, metadata.project_path, find_producers(), install)
    table = make_table("Reproduction", "Item", "Recorded", "Reproduced", "Result")
    for item in items:
        table.add_row(item.item, item.recorded, item.reproduced, "identical" if item.identical else "different")
    make_console().print(table)
    different = [item.item for item in items if not item.identical and item.item != "environment"]
    if different:
        raise click.ClickException(f"not reproduced: {', '.join(different)}")
    click.echo("reproduced: identical model, metrics and predictions")


def _read_origin(metadata: ProjectMetadata, reference: str) -> "tuple[OriginReader, Origin]":
    found = connect_reference(metadata, reference)
    from ..lineage import Catalog, OriginReader  # imports DVC, which other commands do not need

    reader = OriginReader(metadata.project_path, Catalog(found.conf["catalog"]), found.model)
    with reported(LookupError):
        return reader, reader.read(found.text)


def _print_origin(origin: "Origin") -> None:
    console = make_console()
    summary = {
        "version": origin.version or "none",
        "aliases": ", ".join(origin.aliases) or "none",
        "run": f"{origin.run} ({origin.status})",
    }
    summary |= {f"code {name}": value for name, value in origin.code.items()}
    summary |= {f"environment {name}": value for name, value in origin.environment.items()}
    for name, value in summary.items():
        console.print(f"{name:22} {value}", highlight=False)
    if origin.unlocked:
        libraries = ", ".join(origin.unlocked)
        console.print(f"The environment was not that of the lock file: {libraries}", style="bold", highlight=False)
    files = make_table("Data", "Dataset", "Path", "md5", "Bytes", "Workspace", "Cache", "Remote")
    for file in origin.data:
        places = ["yes" if there else "no" for there in (file.workspace, file.cache, file.remote)]
        size = f"{file.size:,}" if file.size is not None else ""
        files.add_row(file.dataset, file.path, file.md5, size, *places)
    console.print(files)
    for title, values in (("Metrics", origin.metrics), ("Parameters", origin.parameters)):
        table = make_table(title, "Name", "Value")
        for name, item in values.items():
            table.add_row(name, str(item))
        console.print(table)
    if origin.users:
        console.print(f"runs that read or wrote it: {', '.join(origin.users)}", highlight=False)
