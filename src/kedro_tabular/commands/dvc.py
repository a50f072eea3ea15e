"""`kedro dvc`: write dvc.yaml from the pipelines, and check it."""

import difflib
from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata
from kedro.pipeline import Pipeline

from ..errors import reports_user_errors
from ..files import write_atomically
from ..kedro_project import train_stages
from ..lineage import GitError, render_dvc_yaml, run_git, tracked_environment
from .conf import load_conf

_BASE = "base"


@click.group()
def dvc() -> None:
    """Keep dvc.yaml in step with the pipelines."""


@dvc.command()
@click.option(
    "--env",
    "-e",
    "environment",
    metavar="NAME",
    help="Run the stages with conf/NAME, and track its values; base: conf/base alone. Kept until it is set again.",
)
@click.pass_obj
@reports_user_errors
def sync(metadata: ProjectMetadata, environment: str | None) -> None:
    """Write dvc.yaml from the pipelines, the catalog and conf/."""
    path = metadata.project_path / "dvc.yaml"
    if environment is None:
        environment = _environment(path)
    else:
        _check_environment(metadata.project_path, environment)
    write_atomically(path, render(metadata, train_stages(), environment))
    conf = "" if environment == _BASE else f", for conf/{environment}"
    click.echo(f"dvc.yaml is written{conf}; to run the stages that changed: dvc repro")


@dvc.command()
@click.pass_obj
@reports_user_errors
def check(metadata: ProjectMetadata) -> None:
    """Fail if dvc.yaml is not what `kedro dvc sync` would write, and show the difference."""
    path = metadata.project_path / "dvc.yaml"
    current = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    expected = render(metadata, train_stages()).splitlines()
    difference = list(difflib.unified_diff(current, expected, "dvc.yaml", "the pipelines", lineterm=""))
    if difference:
        raise click.ClickException("dvc.yaml is out of date, run: kedro dvc sync\n" + "\n".join(difference))
    click.echo("dvc.yaml is up to date with the pipelines")


def _environment(path: Path) -> str:
    """The environment that dvc.yaml is written for. KEDRO_ENV and conf/local do not count: git does not have them."""
    return (tracked_environment(path.read_text(encoding="utf-8")) if path.exists() else None) or _BASE


def _check_environment(project: Path, environment: str) -> None:
    folder = f"conf/{environment}"
    if not (project / folder).is_dir():
        raise click.ClickException(f"there is no folder {folder}")
    try:
        run_git(project, "check-ignore", "--quiet", f"{folder}/parameters.yml")
    except GitError:  # git does not ignore it, or there is no repository
        return
    raise click.ClickException(f"git ignores {folder}, so a clone could not run its stages: put the values elsewhere")


def render(metadata: ProjectMetadata, stages: dict[str, Pipeline], environment: str | None = None) -> str:
    """The text of dvc.yaml for these stages and the conf/ of a project, by default for the environment that it has."""
    environment = environment or _environment(metadata.project_path / "dvc.yaml")
    catalog = load_conf(metadata, environment)["catalog"]
    return render_dvc_yaml(stages, catalog, metadata.project_path, None if environment == _BASE else environment)
