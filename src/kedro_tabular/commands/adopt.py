"""`kedro adopt`: the project on a table of your own."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from kedro.framework.startup import ProjectMetadata

from ..errors import reports_user_errors
from ..lineage import GitError, run_git

if TYPE_CHECKING:
    from ..adoption import Decision, Split


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--target", required=True, metavar="COLUMN", help="The column to predict.")
@click.option("--time", metavar="COLUMN", help="Orders the split: train on the past, test on what came later.")
@click.option("--task", type=click.Choice(["classification", "regression"]), help="By default told by the target.")
@click.option("--id", "ids", multiple=True, metavar="COLUMN", help="Tells cases apart; kept beside predictions.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="Not to predict from, such as what leaks the answer.")
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff, and change nothing.")
@click.pass_obj
@reports_user_errors
def adopt(
    metadata: ProjectMetadata,
    table: Path,
    target: str,
    time: str | None,
    task: str | None,
    ids: tuple[str, ...],
    drop: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Put a TABLE of your own in the place of the sample: CSV, TSV, Parquet, Excel or JSON lines.

    Finds out types, bounds and categories, writes them and fitting settings into conf/base, puts the file
    under DVC, removes all that belongs to the sample and writes dvc.yaml anew.
    """
    from ..adoption import Options, add_stages, choose_split, decide, find_changes, find_leftovers, open_source

    project = metadata.project_path
    decision = decide(open_source(table), Options(target, time, task, ids, drop))
    split = choose_split(decision)
    decision.warnings += find_leftovers(project, table)
    changes = find_changes(project, decision, split, table)
    if changes and not dry_run:
        _refuse_uncommitted(project, table)
    add_stages(changes)
    if dry_run:
        _tell(decision, split)
        click.echo(changes.diff() or "nothing would change")
        return
    if not changes:
        click.echo(f"{decision.contract.name} is adopted already: nothing to change")
        return
    changes.make()
    _tell(decision, split)
    click.echo('\nNext: git add --all && git commit -m "Adopt a table", kedro run --pipeline=train')


def _refuse_uncommitted(project: Path, table: Path) -> None:
    """What is not committed could not be told from what is changed now, nor be had back."""
    try:
        listed = run_git(project, "-c", "core.quotepath=off", "status", "--porcelain", "--untracked-files=all")
    except GitError as error:
        raise click.ClickException(
            "the project is in no git repository, which DVC needs: git init && git add --all && git commit -m Start"
        ) from error
    own = table.resolve()
    changed = [line for line in listed.decode().splitlines() if (project / line[3:].strip('"')).resolve() != own]
    if changed:
        raise click.ClickException(
            "commit your changes first, so that those made now can be told from them, and undone:\n"
            + "\n".join(changed[:10])
        )


def _tell(decision: "Decision", split: "Split") -> None:
    """What was decided, and what a person should check."""
    contract = decision.contract
    click.secho(f"{contract.name}: {contract.task} of {contract.target}", bold=True)
    how = f"in the order of {contract.time}" if contract.time else "at random, about"
    click.echo(f"  split {how}: " + ", ".join(f"{name} {n:,}" for name, n in split.rows.items()) + " rows")
    click.echo(f"  {len(contract.columns)} columns to predict from:")
    for name, column in contract.columns.items():
        bounds = "" if column.min is None else f" {column.min:g} to {column.max:g}"
        click.echo(f"    {name}: {column.type}{bounds}{', may be missing' if column.nullable else ''}")
    for title, lines in (
        ("left out", [f"{name}: {why}" for name, why in decision.left_out.items()]),
        ("decided", decision.notes),
        ("to check", decision.warnings),
    ):
        if lines:
            click.secho(f"  {title}:", fg="yellow" if title == "to check" else None)
            click.echo("\n".join(f"    {line}" for line in lines))
