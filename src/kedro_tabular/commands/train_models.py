"""`kedro models train`: train many models of conf/models at once."""

import os
import time
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata
from rich.live import Live
from rich.table import Table

from .. import models
from ..config import POOLED, model_folder, model_names
from ..errors import reports_user_errors
from ..kedro_project import TRAIN
from ..lineage import is_stale
from .conf import load_conf
from .dvc import write_all
from .overview import compared_metric
from .terminal import make_console, make_table, reported

_STATES = {"passed": "green", "refused": "yellow", "failed": "red"}


@click.command(name="train")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "every", is_flag=True, help="All models of conf/models.")
@click.option("--changed", is_flag=True, help="Those whose code, data or parameters have changed, according to DVC.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes at a time.")
@click.option("--env", "-e", "environment", metavar="NAME", help="The environment in conf/.")
@click.pass_obj
@reports_user_errors
def train(
    metadata: ProjectMetadata, names: tuple[str, ...], every: bool, changed: bool, jobs: int, environment: str | None
) -> None:
    """Train models of conf/models, several at a time. One that fails does not stop the others."""
    project = metadata.project_path
    chosen = _choose(project, names, every or changed)
    stale = [model for model in model_names(project / "conf") if is_stale(project, model)]
    if stale:
        write_all(metadata, of=stale)
    with reported(models.DvcError):
        models.run_shared(project)
        if changed:
            chosen = models.changed_models(project, chosen)
    if not chosen:
        click.echo("no model has changed")
        return
    gate = load_conf(metadata, environment, chosen[0])["parameters"]["gate"]
    progress = _Progress(chosen, compared_metric(gate))
    failed = _train(project, chosen, environment or os.environ.get("KEDRO_ENV"), jobs, progress)
    if failed:
        raise click.ClickException("\n".join([f"{len(failed)} of {len(chosen)} models failed:", *failed]))


def _choose(project: Path, names: Sequence[str], every: bool) -> list[str]:
    known = model_names(project / "conf")
    if not known:
        raise click.ClickException(
            "there are no models in conf/models: the project has one, which `kedro run --pipeline=train` trains"
        )
    if not names and not every:
        raise click.UsageError(f"say which models, or --all, or --changed; there are: {', '.join(known)}")
    for name in names:
        model_folder(project / "conf", name)
    return list(dict.fromkeys(names)) or known


def _train(project: Path, chosen: list[str], environment: str | None, jobs: int, progress: "_Progress") -> list[str]:
    """The reasons of those that failed."""
    failed = []
    # The others are compared with the pooled model, so it comes first and by itself.
    groups = [[name for name in chosen if (name == POOLED) is first] for first in (True, False)]
    run_all = partial(models.run_all, environment=environment, jobs=jobs, cores=os.cpu_count() or 1)
    with progress:
        for event in chain(*(run_all(project, group, TRAIN) for group in groups)):
            progress.show(event)
            if event.outcome is None:
                continue
            if event.outcome.reason:
                failed.append(f"- {event.model}: {event.outcome.reason}")
                continue
            with reported(models.DvcError):
                models.commit_model(project, event.model)
    return failed


class _Progress:
    """A table that lives while the models are trained; lines where there is no terminal."""

    def __init__(self, names: list[str], metric: str) -> None:
        self._metric, self._console = metric, make_console()
        self._rows = {name: ["waiting", "", "", "", ""] for name in names}
        self._started: dict[str, float] = {}
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None

    def __enter__(self) -> None:
        if self._live:
            self._live.start()

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.update(self._table())
            self._live.stop()

    def show(self, event: "models.Event") -> None:
        """Show what happened."""
        started = self._started.setdefault(event.model, time.monotonic())
        row = [event.node or "running", "", "", "", ""]
        if event.outcome is not None:
            outcome, metric = event.outcome, event.outcome.metrics.get(self._metric)
            state = "failed" if outcome.reason else outcome.verdict
            seconds = f"{time.monotonic() - started:.1f} s"
            value = "" if metric is None else f"{metric:.4f}"
            row = [state, outcome.version, value, outcome.against_pooled, seconds]
        self._rows[event.model] = row
        if self._live:
            self._live.update(self._table())
        elif event.outcome is not None:
            self._console.print("  ".join([event.model, *filter(None, row)]), highlight=False)

    def _table(self) -> Table:
        table = make_table("", "Model", "State", "Version", self._metric, "Than pooled", "Time")
        for name, row in self._rows.items():
            table.add_row(name, *row, style=_STATES.get(row[0], ""))
        return table
