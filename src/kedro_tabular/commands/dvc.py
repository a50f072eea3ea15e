"""`kedro dvc`: write dvc.yaml from the pipelines, and check it."""

import difflib
import os
from collections.abc import Collection
from pathlib import Path

import click
from kedro.framework import project
from kedro.framework.startup import ProjectMetadata
from kedro.pipeline import Pipeline

from .. import adoption
from ..config import BASE, model_folder, model_names
from ..errors import reports_user_errors
from ..files import write_atomically
from ..kedro_project import MODEL_VARIABLE, SEGMENTS, shared_pipelines, train_stages
from ..lineage import GitError, render_dvc_yaml, run_git, tracked_environment
from .conf import load_conf

FILE = "dvc.yaml"


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
    """Write dvc.yaml from the pipelines, the catalog and conf/, and one for each model of conf/models."""
    if environment is not None:
        _check_environment(metadata.project_path, environment)
    environment = environment or environment_of(metadata.project_path)
    texts = write_all(metadata, environment)
    conf = "" if environment == BASE else f", for conf/{environment}"
    models = len([path for path in texts if path.parent != metadata.project_path])
    others, run = (f", and those of {models} models", " -R conf/models") if models else ("", "")
    click.echo(f"dvc.yaml is written{conf}{others}; to run the stages that changed: dvc repro{run}")


@dvc.command()
@click.pass_obj
@reports_user_errors
def check(metadata: ProjectMetadata) -> None:
    """Fail if dvc.yaml is not what `kedro dvc sync` would write, and show the difference."""
    texts = render_all(metadata, environment_of(metadata.project_path))
    difference = [f"{_name(path, metadata)} is of no model" for path in _obsolete(metadata.project_path, texts)]
    for path, text in texts.items():
        current = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        difference += difflib.unified_diff(
            current, text.splitlines(), _name(path, metadata), "the pipelines", lineterm=""
        )
    if difference:
        raise click.ClickException("dvc.yaml is out of date, run: kedro dvc sync\n" + "\n".join(difference))
    click.echo("dvc.yaml is up to date with the pipelines")


def write_all(
    metadata: ProjectMetadata, environment: str | None = None, of: Collection[str] | None = None
) -> dict[Path, str]:
    """Write each dvc.yaml, by default for the environment that it has. Returns the texts by path.

    `of` are the models that count; by default all.
    """
    texts = render_all(metadata, environment or environment_of(metadata.project_path), of=of)
    for path in _obsolete(metadata.project_path, texts) if of is None else []:
        path.unlink()
    for path, text in texts.items():
        write_atomically(path, text)
    return texts


def _name(path: Path, metadata: ProjectMetadata) -> str:
    return path.relative_to(metadata.project_path).as_posix()


def _stage_file(project: Path, model: str) -> Path:
    return model_folder(project / "conf", model) / FILE


def _stage_files(project: Path) -> list[Path]:
    """The dvc.yaml of the project and of its models, as far as there are any."""
    paths = (_stage_file(project, model) for model in ("", *model_names(project / "conf")))
    return [path for path in paths if path.exists()]


def _obsolete(project: Path, texts: dict[Path, str]) -> list[Path]:
    return [path for path in _stage_files(project) if path not in texts]


def environment_of(project: Path) -> str:
    """The environment that dvc.yaml is written for. KEDRO_ENV and conf/local do not count: git does not have them."""
    found = (tracked_environment(path.read_text(encoding="utf-8")) for path in _stage_files(project))
    return next(filter(None, found), BASE)


def _check_environment(project: Path, environment: str) -> None:
    folder = f"conf/{environment}"
    if not (project / folder).is_dir():
        raise click.ClickException(f"there is no folder {folder}")
    try:
        run_git(project, "check-ignore", "--quiet", f"{folder}/parameters.yml")
    except GitError:  # git does not ignore it, or there is no repository
        return
    raise click.ClickException(f"git ignores {folder}, so a clone could not run its stages: put the values elsewhere")


def render_all(
    metadata: ProjectMetadata, environment: str, kept: Collection[str] | None = None, of: Collection[str] | None = None
) -> dict[Path, str]:
    """The text of each dvc.yaml by path: that of the project, where models are only the shared stages, and theirs.

    `kept` are the pipelines that count, `of` the models; by default all.
    """
    os.environ.pop(MODEL_VARIABLE, None)  # with a model, the shared pipelines would be left out
    stages, every, folder = train_stages(), dict(project.pipelines), metadata.project_path
    if kept is not None:
        stages, every = ({name: one for name, one in found.items() if name in kept} for found in (stages, every))
    names = model_names(folder / "conf")
    models = names if of is None else [name for name in names if name in of]
    if not names:
        return {folder / FILE: render(metadata, stages, environment)}
    segments = load_conf(metadata, environment, "")["parameters"].get(SEGMENTS)
    shared = [name for name in shared_pipelines(every) if name != SEGMENTS or segments]
    own = {name: pipeline for name, pipeline in stages.items() if name not in shared}
    texts = {_stage_file(folder, name): render(metadata, own, environment, name) for name in models}
    of_all = {name: every[name] for name in shared}
    return ({folder / FILE: render(metadata, of_all, environment)} if of_all else {}) | texts


def render(metadata: ProjectMetadata, stages: dict[str, Pipeline], environment: str = BASE, model: str = "") -> str:
    """The text of dvc.yaml for these stages and the conf/ of a project, or of one of its models."""
    catalog = load_conf(metadata, environment, model)["catalog"]
    tracked = None if environment == BASE else environment
    return render_dvc_yaml(stages, catalog, metadata.project_path, tracked, model)


def add_dvc_yaml(metadata: ProjectMetadata, changes: "adoption.Changes") -> None:
    """Add the dvc.yaml that `kedro dvc sync` writes once the other changes are made."""
    pipelines = metadata.source_dir / metadata.package_name / "pipelines"
    kept = {path.name for path in pipelines.iterdir() if path not in changes.deleted}
    with changes.preview() as future:
        texts = render_all(metadata._replace(project_path=future), environment_of(future), kept)
    for path, text in texts.items():
        changes.write(metadata.project_path / path.relative_to(future), text)
