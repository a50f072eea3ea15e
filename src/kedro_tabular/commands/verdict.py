"""`kedro gate`: the gate's verdict on the model in data/, as an exit code for CI."""

import json
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from .. import registry
from ..errors import reports_user_errors
from ..lineage import Catalog
from .conf import load_conf, require_model
from .terminal import make_console, make_table

_VERDICT = "gate"  # the catalog's entry


@click.command(name="gate")
@click.option("--markdown", is_flag=True, help="Print a Markdown table, as for the comment on a change.")
@click.pass_obj
@reports_user_errors
def gate(metadata: ProjectMetadata, markdown: bool) -> None:
    """Print the gate's verdict on the model in data/. The exit code is 1 if it was refused."""
    conf = load_conf(metadata)
    require_model(metadata, conf)
    path = Catalog(conf["catalog"]).path(_VERDICT)
    file = metadata.project_path / str(path)
    if path is None or not file.is_file():
        raise click.ClickException(f"{path} is missing: kedro run --pipelines=packaging")
    verdict = json.loads(file.read_text(encoding="utf-8"))
    _print_rules(verdict["rules"], markdown)
    if verdict["verdict"] != "passed":
        raise click.ClickException("\n".join(["the gate refused the model:", *registry.failed_rules(verdict)]))
    compared = f", compared with version {verdict['champion']}" if verdict["champion"] else ""
    click.echo(f"The model passed the gate{compared}.")


def _print_rules(rules: list[dict[str, Any]], markdown: bool) -> None:
    rows = [(rule["rule"], "passed" if rule["passed"] else "failed", rule["why"]) for rule in rules]
    if markdown:
        for row in [("Rule", "Result", "Why"), ("---", "---", "---"), *rows]:
            click.echo(f"| {' | '.join(row)} |")
        return
    table = make_table("", "Rule", "Result", "Why")
    for row in rows:
        table.add_row(*row)
    make_console().print(table)
