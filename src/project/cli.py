"""Commands of the project that appear under `kedro`."""

import difflib
from pathlib import Path

import click
from kedro.config import OmegaConfigLoader
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.startup import ProjectMetadata

from .cli_adopt import adopt
from .cli_deploy import promote, rollback
from .cli_lineage import lineage, reproduce
from .cli_models import models
from .cli_replay import replay
from .cli_serve import outcomes, serve
from .dvc_stages import write_stages
from .errors import plainly
from .hooks import offer_parameters
from .pipeline_registry import TRAIN, register_pipelines


@click.group(name="project")
def cli() -> None:
    """Commands of this project."""


@cli.group()
def dvc() -> None:
    """Keep dvc.yaml in step with the pipelines."""


@dvc.command()
@click.pass_obj
@plainly
def sync(metadata: ProjectMetadata) -> None:
    """Write dvc.yaml from the pipelines and the catalog."""
    _dvc_yaml(metadata).write_text(_current_stages(metadata))
    click.echo("dvc.yaml is written; run what has changed with: dvc repro")


@dvc.command()
@click.pass_obj
@plainly
def check(metadata: ProjectMetadata) -> None:
    """Fail if dvc.yaml is not what `kedro dvc sync` would write, and show the difference."""
    path = _dvc_yaml(metadata)
    kept = path.read_text() if path.exists() else ""
    difference = difflib.unified_diff(
        kept.splitlines(), _current_stages(metadata).splitlines(), "dvc.yaml", "the pipelines", lineterm=""
    )
    lines = list(difference)
    if lines:
        raise click.ClickException("dvc.yaml is stale, run: kedro dvc sync\n" + "\n".join(lines))
    click.echo("dvc.yaml is in step with the pipelines")


def _dvc_yaml(metadata: ProjectMetadata) -> Path:
    return metadata.project_path / "dvc.yaml"


def _current_stages(metadata: ProjectMetadata) -> str:
    # Not through a Kedro session: it would start up MLflow, and take in what conf/local changes.
    loader = OmegaConfigLoader(str(metadata.project_path / "conf"), base_env="base", default_run_env="base")
    offer_parameters(loader["parameters"])
    pipelines = register_pipelines()
    stages = {name: pipelines[name] for name in TRAIN if name in pipelines}
    return write_stages(stages, loader["catalog"], metadata.project_path)


assert kedro_run.callback is not None
run = click.Command("run", params=kedro_run.params, callback=plainly(kedro_run.callback), help=kedro_run.help)
for command in (run, adopt, lineage, reproduce, models, promote, rollback, serve, outcomes, replay):
    cli.add_command(command)
