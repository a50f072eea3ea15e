"""`kedro models`: the registry at a glance."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata
from rich.table import Table

from ..errors import reports_user_errors
from ..lineage import GitError, run_git
from .terminal import make_console, make_table

if TYPE_CHECKING:
    from ..registry import Change, VersionRecord

_SHORT = 8  # digits of a hash that are shown; a query takes them for the whole
MODEL = click.option("--model", metavar="NAME", help="A registered model; by default the one of conf/.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@click.group(invoke_without_command=True)
@click.option("--diff", nargs=2, metavar="REF REF", help="Show what differs between two versions.")
@MODEL
@JSON
@click.pass_context
def models(context: click.Context, diff: tuple[str, str] | None, model: str | None, as_json: bool) -> None:
    """List all registered models and their versions.

    REF is a version number or an alias such as champion.
    """
    if context.invoked_subcommand is None:
        show = _show_difference if diff else _show_all
        show(context.obj, diff, model, as_json)


@models.command()
@click.argument("query")
@JSON
@click.pass_obj
@reports_user_errors
def find(metadata: ProjectMetadata, query: str, as_json: bool) -> None:
    """List the versions that a query holds for, over all registered models.

    For example: kedro models find "metrics.roc_auc > 0.7 and data.table = 82046ff6 and gate = passed".
    Fields are model, version, alias, gate, age (in days, or as 12h, 7d, 2w), created, run, status,
    metrics.NAME, params.NAME, data.DATASET, git.commit, env.lock and any other tag. Join comparisons
    (= != < <= > >= and ~ for contains) by and, or, not and brackets.
    """
    settings = connect(metadata)
    from ..registry import QueryError, read_records, select

    records = read_records()
    try:
        chosen = select(query, [record.fields() for record in records])
    except QueryError as error:
        raise click.ClickException(str(error)) from error
    _print([records[position] for position in chosen], settings, as_json)


def connect(metadata: ProjectMetadata) -> dict[str, Any]:
    """Set MLflow up as conf/ says, and give the parameters."""
    with KedroSession.create(metadata.project_path) as session:
        context = session.load_context()  # type: ignore[attr-defined]
        return dict(context.config_loader["parameters"])


@reports_user_errors
def _show_all(metadata: ProjectMetadata, diff: None, model: str | None, as_json: bool) -> None:
    settings = connect(metadata)
    from ..registry import read_records

    _print(read_records(model), settings, as_json)


@reports_user_errors
def _show_difference(metadata: ProjectMetadata, diff: tuple[str, str], model: str | None, as_json: bool) -> None:
    settings = connect(metadata)
    name = model or settings["table"]["name"]
    from ..registry import differences

    before, after = (find_version(name, reference) for reference in diff)
    if before.run is None or after.run is None:
        raise click.ClickException("the run of one of them was deleted: nothing of it is known any more")
    changes = differences(before.run, after.run)
    files = _changed_files(Path(metadata.project_path), changes)
    measured = {
        metric: (before.metrics.get(metric), after.metrics.get(metric))
        for metric in sorted(before.metrics | after.metrics)
        if not metric.startswith("dummy_") and before.metrics.get(metric) != after.metrics.get(metric)
    }
    if as_json:
        told = {"model": name, "before": before.version, "after": after.version}
        listed = {"changes": [change._asdict() for change in changes], "files": files, "metrics": measured}
        click.echo(json.dumps(told | listed, indent=2))
        return
    console, titles = make_console(), [f"Version {record.version}" for record in (before, after)]
    for kind in ("code", "data", "parameters", "environment"):
        of_kind = [change for change in changes if change.kind == kind]
        table = make_table(kind.capitalize(), "Name", *titles)
        for _, *cells in of_kind:
            table.add_row(*cells)
        console.print(table if of_kind else f"{kind}: the same", highlight=False)
    for line in files:
        console.print(f"  {line}", highlight=False)
    table = make_table("Metrics", "Name", *titles, "Change")
    for metric, (old, new) in measured.items():
        change = "" if old is None or new is None else f"{new - old:+.4f}"
        table.add_row(metric, *("none" if value is None else f"{value:.4f}" for value in (old, new)), change)
    console.print(table if measured else "metrics: the same")


def _changed_files(project: Path, changes: "list[Change]") -> list[str]:
    """What git tells of the files that differ between two commits; nothing where it does not know them."""
    for change in changes:
        if (change.kind, change.name) == ("code", "commit"):
            try:
                listed = run_git(project, "diff", "--stat", change.before, change.after, "--")
            except GitError:
                return []
            return [line.strip() for line in listed.decode(errors="replace").splitlines()]
    return []


def find_version(name: str, reference: str) -> "VersionRecord":
    """The version of a number or an alias. Raises ClickException if there is none."""
    from ..registry import read_records

    records = read_records(name)
    for record in records:
        if reference == record.version or reference in record.aliases:
            return record
    known = ", ".join(record.version for record in records) or "none"
    raise click.ClickException(f"{name} has no version or alias {reference!r}; its versions are: {known}")


def _print(records: "list[VersionRecord]", settings: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([record.as_dict() for record in records], indent=2))
        return
    if not records:
        click.echo("no version found")
        return
    gate = settings["gate"]
    judged = [gate[rule]["metric"] for rule in ("champion", "trivial", "slices") if gate.get(rule)]
    main = list(dict.fromkeys([*judged, *gate.get("metrics", {})]))  # the metrics that decide
    table = make_table("", "Model", "Version", "Aliases", "Gate", *main, "Table", "Commit", "Age")
    for record in records:
        _add_row(table, record, main)
    make_console().print(table)


def _add_row(table: Table, record: "VersionRecord", metrics: list[str]) -> None:
    fields = record.fields()
    commit = str(fields.get("git.commit", ""))[:_SHORT] + ("+" if fields.get("git.dirty") == "true" else "")
    failed = fields.get("gate.failed")
    table.add_row(
        record.model,
        record.version,
        ", ".join(record.aliases),
        f"{fields['gate']}{f': {failed}' if failed else ''}",
        *(f"{record.metrics[name]:.4f}" if name in record.metrics else "" for name in metrics),
        str(fields.get("data.table", ""))[:_SHORT],
        commit,
        _age(record.age),
        style="bold" if "champion" in record.aliases else "",
    )


def _age(days: float) -> str:
    if days >= 1:
        return f"{days:.0f} d"
    return f"{days * 24:.0f} h" if days * 24 >= 1 else f"{days * 1440:.0f} min"
