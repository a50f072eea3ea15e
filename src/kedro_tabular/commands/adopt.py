"""`kedro adopt`: put the project on the user's own table."""

from pathlib import Path
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from .. import adoption
from ..config import read_conf
from ..errors import reports_user_errors
from ..lineage import GitError, run_git
from .dvc import add_dvc_yaml

_ESTIMATORS = ("linear", "forest", "boosting")


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--target", required=True, metavar="COLUMN", help="The column to predict.")
@click.option("--time", metavar="COLUMN", help="Orders the split: train on the past, test on what came later.")
@click.option("--task", type=click.Choice(["classification", "regression"]), help="By default inferred.")
@click.option("--id", "ids", multiple=True, metavar="COLUMN", help="Identifies rows; kept beside predictions.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="Not a feature, for example because it leaks the target.")
@click.option("--estimator", type=click.Choice(_ESTIMATORS), help="By default chosen by cross-validation.")
@click.option("--name", metavar="NAME", help="Of the registered model; by default that of the file.")
@click.option("--by", metavar="COLUMN", help="A model for each value of this column with rows enough, in conf/models.")
@click.option("--dry-run", is_flag=True, help="Show the changes as a diff, and change nothing.")
@click.pass_obj
@reports_user_errors
def adopt(metadata: ProjectMetadata, table: Path, dry_run: bool, **options: Any) -> None:
    """Replace the sample by a TABLE of your own: CSV, TSV, Parquet, Excel or JSON lines.

    Infers types, bounds and categories, writes them and the settings that depend on them into conf/base, puts the
    file under DVC, deletes the files of the sample and writes dvc.yaml.
    """
    project = metadata.project_path
    if not (project / ".dvc" / "config").exists():
        raise click.ClickException("the project has no .dvc/config: dvc init, in a subfolder of a repository --subdir")
    chosen = adoption.Options(**options)
    inferred = adoption.infer_contract(adoption.open_source(table), chosen)
    parameters = read_conf(project, "base")["parameters"]
    split = adoption.choose_split(inferred, parameters["seed"])
    features = parameters["features"] | {"datetime_parts": adoption.choose_datetime_parts(inferred), "derived": {}}
    if inferred.contract.time:
        features = adoption.choose_days(split.parts.train, inferred.contract, features)
        if "days" in features["datetime_parts"]:
            inferred.notes.append("the days since 1970 are a feature, because they lower the error on later rows")
    if chosen.estimator is None:
        click.echo("Comparing estimators by cross-validation. --estimator names one without a comparison.", err=True)
    estimator = adoption.choose_estimator(
        split.parts.train, inferred.contract, features, inferred.group, chosen.estimator
    )
    inferred.notes += [*adoption.describe_left_out_rules(inferred, split), estimator.note]
    inferred.warnings += adoption.find_unused_files(project, table)
    sections = {"features": {"datetime_parts": features["datetime_parts"]}, "estimator": estimator.parameters}
    changes = adoption.plan_changes(project, inferred, split, sections, table)
    if inferred.by:
        inferred.notes += adoption.plan_models(
            inferred.contract, split.parts, inferred.by, parameters, changes, inferred.left_out
        )
    if adoption.is_template(project):
        adoption.plan_own_files(project, metadata.package_name, inferred.contract.name, changes)
        inferred.notes.append("this is a clone of the template: README.md and what is only the template's are replaced")
    if changes and not dry_run:
        _check_committed(project, table)
    add_dvc_yaml(metadata, changes)
    if dry_run:
        _print_summary(inferred, split)
        click.echo(changes.diff() or "nothing would change")
    elif changes:
        changes.apply()
        _print_summary(inferred, split)
        train = "kedro models train --all" if inferred.by else "kedro run --pipeline=train"
        click.echo(f'\nNext: git add --all && git commit -m "Adopt a table", {train}')
    else:
        click.echo(f"{inferred.contract.name} is adopted already: nothing to change")


def _check_committed(project: Path, table: Path) -> None:
    """Refuse uncommitted changes: they could not be told from the changes that follow, nor restored."""
    try:
        status = run_git(project, "-c", "core.quotepath=off", "status", "--porcelain", "--untracked-files=all")
    except GitError as error:
        raise click.ClickException(
            "the project is in no git repository, which DVC needs: git init && git add --all && git commit -m Start"
        ) from error
    lines = status.decode().splitlines()
    changed = [line for line in lines if (project / line[3:].strip('"')).resolve() != table.resolve()]
    if changed:
        raise click.ClickException(
            "commit your changes first, so that `git diff` shows only those of this command, and git can undo them:\n"
            + "\n".join(changed[:10])
        )


def _print_summary(inferred: "adoption.InferredContract", split: "adoption.Split") -> None:
    contract = inferred.contract
    click.secho(f"{contract.name}: {contract.task} of {contract.target}", bold=True)
    method = f"split by time ({contract.time}):" if contract.time else "random split:"
    if inferred.group:
        method += f" (rows of one {' and '.join(inferred.group)} stay in one part)"
    sizes = ", ".join(f"{part} {n:,}" for part, n in split.rows.items())
    click.echo(f"  {method} {sizes} rows")
    click.echo(f"  {len(contract.columns)} feature columns:")
    for name, column in contract.columns.items():
        bounds = "" if column.min is None else f" {column.min:g} to {column.max:g}"
        click.echo(f"    {name}: {column.type}{bounds}{', may be missing' if column.nullable else ''}")
    for title, lines in (
        ("left out", [f"{name}: {reason}" for name, reason in inferred.left_out.items()]),
        ("assumed", inferred.notes),
        ("to check", inferred.warnings),
    ):
        if lines:
            click.secho(f"  {title}:", fg="yellow" if title == "to check" else None)
            click.echo("\n".join(f"    {line}" for line in lines))
