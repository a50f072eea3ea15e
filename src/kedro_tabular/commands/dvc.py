"""`kedro dvc`: write dvc.yaml from the pipelines, and check it."""

import difflib

import click
from kedro.framework.startup import ProjectMetadata

from ..errors import reports_user_errors
from ..kedro_project import train_stages
from ..lineage import render_dvc_yaml
from .conf import load_conf


@click.group()
def dvc() -> None:
    """Keep dvc.yaml in step with the pipelines."""


@dvc.command()
@click.pass_obj
@reports_user_errors
def sync(metadata: ProjectMetadata) -> None:
    """Write dvc.yaml from the pipelines and the catalog."""
    (metadata.project_path / "dvc.yaml").write_text(_render(metadata), encoding="utf-8")
    click.echo("dvc.yaml is written; to run the stages that changed: dvc repro")


@dvc.command()
@click.pass_obj
@reports_user_errors
def check(metadata: ProjectMetadata) -> None:
    """Fail if dvc.yaml is not what `kedro dvc sync` would write, and show the difference."""
    path = metadata.project_path / "dvc.yaml"
    current = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    expected = _render(metadata).splitlines()
    difference = list(difflib.unified_diff(current, expected, "dvc.yaml", "the pipelines", lineterm=""))
    if difference:
        raise click.ClickException("dvc.yaml is out of date, run: kedro dvc sync\n" + "\n".join(difference))
    click.echo("dvc.yaml is up to date with the pipelines")


def _render(metadata: ProjectMetadata) -> str:
    catalog = load_conf(metadata, base_only=True)["catalog"]  # dvc.yaml must not depend on conf/local
    return render_dvc_yaml(train_stages(), catalog, metadata.project_path)
