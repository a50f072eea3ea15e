"""`kedro models train` and `score`: a pipeline for many models of conf/models, several at a time."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from .. import models
from ..config import POOLED, check_model, model_names
from ..errors import reports_user_errors
from ..kedro_project import TRAIN
from ..lineage import has_lost_model, is_stale
from .conf import load_conf
from .dvc import write_all
from .overview import compared_metric
from .progress import Progress
from .terminal import reported

_INFERENCE = "inference"
_OPTIONS = (
    click.argument("names", nargs=-1, metavar="[NAME]..."),
    click.option("--all", "every", is_flag=True, help="All models of conf/models."),
    click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes at a time."),
    click.option("--env", "-e", "environment", metavar="NAME", help="The environment in conf/."),
    click.pass_obj,
    reports_user_errors,
)


def of_many(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate the function of a command that runs a pipeline for many models."""
    for decorate in reversed(_OPTIONS):
        command = decorate(command)
    return command


@click.command(name="train")
@click.option("--changed", is_flag=True, help="Those whose code, data or parameters have changed, according to DVC.")
@of_many
def train(
    metadata: ProjectMetadata, names: tuple[str, ...], every: bool, changed: bool, jobs: int, environment: str | None
) -> None:
    """Train models of conf/models, several at a time. One that fails does not stop the others."""
    project = metadata.project_path
    chosen = choose_models(project, names, every or changed)
    stale = [model for model in model_names(project / "conf") if is_stale(project, model)]
    if stale or has_lost_model(project):
        write_all(metadata, of=stale)
    if not changed:  # else there may be nothing to train
        models.warm_up()
    with reported(models.DvcError):
        models.run_shared(project)
        if changed:
            chosen = models.changed_models(project, chosen)
    if not chosen:
        click.echo("no model has changed")
        return
    # The others are compared with the pooled model, so it comes first and by itself.
    groups = [[name for name in chosen if (name == POOLED) is first] for first in (True, False)]
    refuse(run_models(metadata, groups, TRAIN, environment, jobs), len(chosen))


@click.command(name="score")
@of_many
def score(metadata: ProjectMetadata, names: tuple[str, ...], every: bool, jobs: int, environment: str | None) -> None:
    """Predict the table `inference_table` of each of some models with its champion, several at a time."""
    chosen = choose_models(metadata.project_path, names, every)
    refuse(run_models(metadata, [chosen], _INFERENCE, environment, jobs), len(chosen))


def choose_models(project: Path, names: Sequence[str], every: bool) -> list[str]:
    """The models of these names, or all. Raises ClickException: none is named, or there is no such model."""
    known = model_names(project / "conf")
    if not known:
        raise click.ClickException(
            "there are no models in conf/models: the project has one, which `kedro run --pipeline=train` trains"
        )
    if not names and not every:
        raise click.UsageError(f"say which models, or --all; there are: {', '.join(known)}")
    for name in names:
        check_model(project / "conf", name)
    return list(dict.fromkeys(names)) or known


def run_models(
    metadata: ProjectMetadata,
    groups: Sequence[Sequence[str]],
    pipeline: str,
    environment: str | None,
    jobs: int,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Run a pipeline for each model, one group after the other, and show how far they are.

    `parameters` are those of the runs. Returns why a model failed, for each that did.
    """
    chosen = [name for group in groups for name in group]
    gate = load_conf(metadata, environment, chosen[0])["parameters"]["gate"]
    environment, cores = environment or os.environ.get("KEDRO_ENV"), os.cpu_count() or 1
    failed = {}
    with Progress(chosen, compared_metric(gate)) as progress:
        for group in groups:
            for event in models.run_all(metadata.project_path, group, pipeline, environment, jobs, cores, parameters):
                reason = "" if event.outcome is None else event.outcome.reason
                if reason:
                    failed[event.model] = reason
                progress.show(event)
    return failed


def refuse(failed: Mapping[str, str], n_models: int) -> None:
    """Raise ClickException if some of so many models failed."""
    if failed:
        reasons = [f"- {model}: {reason}" for model, reason in failed.items()]
        raise click.ClickException("\n".join([f"{len(failed)} of {n_models} models failed:", *reasons]))
