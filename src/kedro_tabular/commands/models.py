"""`kedro models`: list, find and compare registered versions."""

import json
from pathlib import Path
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata
from rich.table import Table

from .. import registry
from ..config import current_model, model_names, read_conf
from ..errors import reports_user_errors
from ..evaluation import BASELINE
from ..lineage import SHORT, Catalog, GitError, run_git
from ..outages import without_password
from .conf import connect_mlflow, connect_reference
from .monitored import read_monitored
from .overview import compared_metric, print_overview
from .terminal import JSON, MODEL, format_age, make_console, make_table, reported

_REGISTERED = "registered_model"  # the catalog's entry with the files that a version is registered from


@click.group(invoke_without_command=True)
@click.option("--diff", nargs=2, metavar="REF REF", help="Show what differs between two versions.")
@MODEL
@JSON
@click.pass_context
@reports_user_errors
def models(context: click.Context, diff: tuple[str, str] | None, model: str | None, as_json: bool) -> None:
    """List all registered models and their versions; of a project with many models, what is deployed of each.

    REF is a version number or an alias such as champion; NAME/3 and NAME@champion are those of another model.
    """
    if context.invoked_subcommand is not None:
        return
    metadata: ProjectMetadata = context.obj
    conf = connect_mlflow(metadata)
    name, gate = conf["parameters"]["table"]["name"], conf["parameters"]["gate"]
    if diff:
        found = [connect_reference(metadata, reference, model) for reference in diff]
        _print_differences(metadata.project_path, [find_version(one.model, one.text) for one in found], as_json)
        return
    names = model_names(metadata.project_path / "conf")
    if names and model is None:
        base = read_conf(metadata.project_path, model="") if current_model() else conf
        monitored = read_monitored(metadata.project_path, base["catalog"], names)
        summaries = registry.read_overview(names, compared_metric(gate), monitored)
        print_overview(summaries, compared_metric(gate), as_json)
        return
    records = registry.read_records(model)
    _print_records(records, gate, as_json)
    if model in (None, name):
        trained = _describe_trained(metadata.project_path, conf["catalog"], [r for r in records if r.model == name])
        click.echo(trained, err=as_json, nl=bool(trained))


@models.command()
@click.argument("query")
@JSON
@click.pass_obj
@reports_user_errors
def find(metadata: ProjectMetadata, query: str, as_json: bool) -> None:
    """List the versions of all registered models that match a query.

    For example: kedro models find "metrics.roc_auc > 0.7 and data.table = 82046ff6 and gate = passed".
    Fields are model, version, alias, gate, age (in days, or as 12h, 7d, 2w), created, run, status,
    metrics.NAME, params.NAME, data.DATASET, git.commit, env.lock and any other tag. Join comparisons
    (= != < <= > >= and ~ for contains) by and, or, not and brackets.
    """
    parameters = connect_mlflow(metadata)["parameters"]
    records = registry.read_records()
    with reported(registry.QueryError):
        positions = registry.select(query, [record.fields() for record in records])
    _print_records([records[position] for position in positions], parameters["gate"], as_json)


@models.command()
@click.argument("reference", metavar="REF")
@click.option("--to", "target", required=True, metavar="ADDRESS", help="The other registry, such as http://host:5000.")
@MODEL
@click.pass_obj
@reports_user_errors
def copy(metadata: ProjectMetadata, reference: str, target: str, model: str | None) -> None:
    """Copy a version with its files, run, tags and lineage to another registry. It is not promoted there.

    REF is a version number or an alias such as champion. If the other registry needs another user, set
    TARGET_TRACKING_USERNAME and TARGET_TRACKING_PASSWORD.
    """
    name, text = connect_reference(metadata, reference, model)[1::-1]
    number = find_version(name, text).version
    from mlflow.tracking import MlflowClient

    version, source = MlflowClient().get_model_version(name, number), MlflowClient().tracking_uri
    with reported(registry.CopyError):
        copied = registry.copy_version(version, source, target)
    click.echo(f"{name} version {number} is version {copied} in {without_password(target)}")


def find_version(name: str, reference: str) -> "registry.VersionRecord":
    """The version with a number or an alias. Raises ClickException if there is none."""
    records = registry.read_records(name)
    for record in records:
        if reference == record.version or reference in record.aliases:
            return record
    existing = ", ".join(record.version for record in records) or "none"
    raise click.ClickException(f"{name} has no version or alias {reference!r}; its versions are: {existing}")


def _describe_trained(project: Path, catalog: dict[str, Any], records: "list[registry.VersionRecord]") -> str:
    """Which version was registered from the project's files, such as those of an applied experiment; else what to do.

    Empty if no model was trained.
    """
    stored = catalog.get(_REGISTERED, {}).get("artifacts", {})
    md5s = Catalog(catalog).content_md5s(project, stored)
    if set(md5s) != set(stored) or not stored:
        return ""
    found = registry.find_by_content(records, md5s)
    if found is not None:
        return f"The files in data/ are those of version {found.version}."
    return "The model in data/ is not registered. To register it: kedro run --pipelines=evaluation,packaging"


def _print_differences(project: Path, versions: "list[registry.VersionRecord]", as_json: bool) -> None:
    before, after = versions
    if before.run is None or after.run is None:
        raise click.ClickException("the run of one of these versions was deleted: they can't be compared")
    changes = registry.compare_runs(before.run, after.run)
    files = _changed_files(project, changes)
    metrics = {
        metric: (before.metrics.get(metric), after.metrics.get(metric))
        for metric in sorted(before.metrics | after.metrics)
        if not metric.startswith(BASELINE) and before.metrics.get(metric) != after.metrics.get(metric)
    }
    if as_json:
        listed = {"changes": [change._asdict() for change in changes], "files": files, "metrics": metrics}
        compared = {"model": before.model, "before": before.version, "after": after.version}
        click.echo(json.dumps(compared | listed, indent=2))
        return
    of_one = before.model == after.model
    titles = [f"Version {one.version}" if of_one else f"{one.model}/{one.version}" for one in versions]
    console = make_console()
    for kind in ("code", "data", "parameters", "environment"):
        table = make_table(kind.capitalize(), "Name", *titles)
        for difference in changes:
            if difference.kind == kind:
                table.add_row(difference.name, difference.before, difference.after)
        console.print(table if table.rows else f"{kind}: no difference", highlight=False)
    for line in files:
        console.print(f"  {line}", highlight=False)
    table = make_table("Metrics", "Name", *titles, "Change")
    for metric, (old, new) in metrics.items():
        change = "" if old is None or new is None else f"{new - old:+.4f}"
        table.add_row(metric, *("none" if value is None else f"{value:.4f}" for value in (old, new)), change)
    console.print(table if metrics else "metrics: no difference")


def _changed_files(project: Path, changes: "list[registry.Difference]") -> list[str]:
    """The files that git lists as different between two commits; none if it does not have both."""
    for change in changes:
        if (change.kind, change.name) == ("code", "commit"):
            try:
                stat = run_git(project, "diff", "--stat", change.before, change.after, "--")
            except GitError:
                return []
            return [line.strip() for line in stat.decode(errors="replace").splitlines()]
    return []


def _print_records(records: "list[registry.VersionRecord]", gate: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([record.as_dict() for record in records], indent=2))
        return
    if not records:
        click.echo("no version found")
        return
    compared = [gate[rule]["metric"] for rule in ("champion", "trivial", "slices") if gate.get(rule)]
    metrics = list(dict.fromkeys([*compared, *gate.get("metrics", {})]))  # those that the gate decides by
    table = make_table("", "Model", "Version", "Aliases", "Gate", *metrics, "Table", "Commit", "Age")
    for record in records:
        _add_row(table, record, metrics)
    make_console().print(table)


def _add_row(table: Table, record: "registry.VersionRecord", metrics: list[str]) -> None:
    fields = record.fields()
    commit = str(fields.get("git.commit", ""))[:SHORT] + ("+" if fields.get("git.dirty") == "true" else "")
    table.add_row(
        record.model,
        record.version,
        ", ".join(record.aliases),
        record.verdict,
        *(f"{record.metrics[name]:.4f}" if name in record.metrics else "" for name in metrics),
        str(fields.get("data.table", ""))[:SHORT],
        commit,
        format_age(record.age),
        style="bold" if "champion" in record.aliases else "",
    )
