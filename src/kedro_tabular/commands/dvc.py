"""`kedro dvc`: dvc.yaml in step with the pipelines."""

import difflib
from pathlib import Path

import click
from kedro.config import OmegaConfigLoader
from kedro.framework.startup import ProjectMetadata

from ..errors import reports_user_errors
from ..hooks import register_params_resolver
from ..lineage import write_stages
from ..project import train_stages


@click.group()
def dvc() -> None:
    """Keep dvc.yaml in step with the pipelines."""


@dvc.command()
@click.pass_obj
@reports_user_errors
def sync(metadata: ProjectMetadata) -> None:
    """Write dvc.yaml from the pipelines and the catalog."""
    _dvc_yaml(metadata).write_text(_current_stages(metadata), encoding="utf-8")
    click.echo("dvc.yaml is written; run what has changed with: dvc repro")


@dvc.command()
@click.pass_obj
@reports_user_errors
def check(metadata: ProjectMetadata) -> None:
    """Fail if dvc.yaml is not what `kedro dvc sync` would write, and show the difference."""
    path = _dvc_yaml(metadata)
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    difference = difflib.unified_diff(
        kept.splitlines(), _current_stages(metadata).splitlines(), "dvc.yaml", "the pipelines", lineterm=""
    )
    lines = list(difference)
    if lines:
        raise click.ClickException("dvc.yaml is stale, run: kedro dvc sync\n" + "\n".join(lines))
    click.echo("dvc.yaml is in step with the pipelines")


def _dvc_yaml(metadata: ProjectMetadata) -> Path:
    return Path(metadata.project_path) / "dvc.yaml"


def _current_stages(metadata: ProjectMetadata) -> str:
    # Not through a Kedro session: it would start up MLflow, and take in what conf/local changes.
    loader = OmegaConfigLoader(str(metadata.project_path / "conf"), base_env="base", default_run_env="base")
    register_params_resolver(loader["parameters"])
    return write_stages(train_stages(), loader["catalog"], Path(metadata.project_path))
