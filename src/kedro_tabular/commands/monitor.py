"""`kedro models monitor`: the monitoring of many models, then one page and one message about them."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.startup import ProjectMetadata
from kedro.io import AbstractDataset, DatasetError

from .. import monitoring
from ..config import ConfigLoader, model_names, read_conf
from ..files import write_atomically
from ..kedro_project import package_name
from ..lineage import Catalog
from ..serving import log as prediction_log
from .many_models import choose_models, of_many, run_models
from .monitored import path_of_model, read_monitored

_PIPELINE, _SCORED_ROWS, _REPORT = "monitoring", "scored_rows", "monitoring_report"
_PAGE, _ALERTS = "models_report", "models_alerts"


@click.command(name="monitor")
@of_many
def monitor(
    metadata: ProjectMetadata,
    names: tuple[str, ...],
    every: bool,
    jobs: int,
    environment: str | None,
    params: dict[str, Any],
) -> None:
    """Monitor the predictions of some models, several at a time; write a page and send a message about all.

    With --params=fail_on=alert, the exit code is 1 if a model has an alert.
    """
    if "model" in params:
        raise click.UsageError("say which models as NAME..., not in --params")
    project = metadata.project_path
    os.chdir(project)  # paths of conf/ are relative to it
    chosen, conf = choose_models(project, names, every), read_conf(project, environment, "", params)
    for entry in (_PAGE, _ALERTS):
        if entry not in conf["catalog"]:
            raise click.ClickException(f"conf/base/catalog.yml lacks {entry}: take it from that of the template")
    idle = _idle_models(conf, chosen, environment)
    running = [name for name in chosen if name not in idle]
    failed = run_models(metadata, [running], _PIPELINE, environment, jobs, params) if running else {}
    page = _write_page(conf, failed)
    problems = _list_models(failed, len(chosen), "failed")
    fresh = read_monitored(project, conf["catalog"], [name for name in running if name not in failed])
    try:
        _send_alerts(conf, fresh)
    except DatasetError as error:
        problems.append(str(error))
    alerting = {
        name: f"{verdict['findings'][0]['subject']}: {verdict['findings'][0]['says']}"
        for name, verdict in fresh.items()
        if verdict["fails"]
    }
    problems += _list_models(alerting, len(chosen), "have an alert")
    click.echo(f"Next: open {page}")
    if problems:
        raise click.ClickException("\n".join(problems))


# Kedro's own option, with what parses it.
monitor.params.append(next(option for option in kedro_run.params if option.name == "params"))


def _list_models(reasons: Mapping[str, str], n_models: int, what: str) -> list[str]:
    listed = [f"- {name}: {reason}" for name, reason in reasons.items()]
    return [f"{len(reasons)} of {n_models} models {what}:", *listed] if reasons else []


def _idle_models(conf: ConfigLoader, names: Sequence[str], environment: str | None) -> set[str]:
    """The models that need no process: they never were monitored, and the prediction log has nothing of them."""
    with _open_log(conf) as log:
        if log is None:
            return set()
        unknown = set(names) - prediction_log.models_in(log, names)
    entry, project = conf["catalog"][_SCORED_ROWS], Path.cwd()
    unknown -= read_monitored(project, conf["catalog"], names).keys()
    return {name for name in unknown if read_conf(project, environment, name)["catalog"][_SCORED_ROWS] == entry}


def _write_page(conf: ConfigLoader, failed: Mapping[str, str]) -> str:
    """Write the page of all models of the project; return its path."""
    project, catalog = Path.cwd(), conf["catalog"]
    names = model_names(project / "conf")
    monitored = read_monitored(project, catalog, names)
    page = Path(str(Catalog(catalog).path(_PAGE)))
    statuses = []
    for name in names:
        report = path_of_model(catalog, _REPORT, name)
        address = os.path.relpath(report, page.parent) if report is not None and report.is_file() else ""
        statuses.append(monitoring.ModelStatus(name, monitored.get(name, {}), failed.get(name, ""), address))
    volume = _read_volume(conf, [monitoring.span_of(verdict) for verdict in monitored.values()])
    write_atomically(page, monitoring.write_models_page(statuses, str(package_name()), volume))
    return str(page)


def _read_volume(conf: ConfigLoader, spans: "Sequence[monitoring.Span]") -> "monitoring.Volume | None":
    """The rows a day of all models until the end of the last window; None without a prediction log."""
    settings = monitoring.ModelsReport.read("models_report", conf["parameters"].get("models_report", {}))
    until = max((span.until for span in spans), default=prediction_log.utc_now())
    longest = max((until - span.since for span in spans if span.until == until), default=timedelta(0))
    days = max(settings.days, math.ceil(longest / timedelta(days=1)))
    with _open_log(conf) as log:
        return None if log is None else monitoring.Volume(until, prediction_log.rows_a_day(log, until, days))


@contextmanager
def _open_log(conf: ConfigLoader) -> "Iterator[prediction_log.PredictionLog | None]":
    """The log that conf/base has scored rows from; None if they are not from a log, or there is none yet."""
    dataset = AbstractDataset.from_config(_SCORED_ROWS, conf["catalog"][_SCORED_ROWS])
    try:
        log = dataset.open_log() if isinstance(dataset, prediction_log.LoggedRowsDataset) else None
    except DatasetError:  # each run says what is wrong
        log = None
    try:
        yield log
    finally:
        if log is not None:
            log.close()


def _send_alerts(conf: ConfigLoader, monitored: Mapping[str, Mapping[str, Any]]) -> None:
    """Send one message about what has changed. Raises DatasetError: it could not be delivered."""
    catalog = conf["catalog"]
    dataset = AbstractDataset.from_config(_ALERTS, catalog[_ALERTS])
    names, page = model_names(Path.cwd() / "conf"), str(Catalog(catalog).path(_PAGE))
    decision = monitoring.decide_model_alerts(monitored, dataset.load(), names, str(package_name()), page)
    dataset.save(decision)
