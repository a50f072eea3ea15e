"""Run a pipeline for many models in processes that have imported everything once."""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

from .worker import Outcome, Task, run_task

# What a training imports. They only define: a process that has used OpenMP can't be forked.
_PRELOADED = [
    "kedro_tabular.models.worker",
    "kedro_tabular.hooks",
    "kedro_tabular.lineage.tracking",
    "kedro_tabular.registry.versions",
    "kedro_tabular.gate.packaging",
    "kedro_tabular.gate.report",
    "kedro_tabular.evaluation.plots",
    "kedro_tabular.monitoring.profiling",
    "IPython",  # MLflow and pandera import these if they are there
    "alembic.command",
    "git",
    "hypothesis",
    "kedro_telemetry.plugin",
    "kedro_datasets.json",
    "kedro_datasets.pandas",
    "kedro_datasets.partitions",
    "kedro_datasets.text",
    "kedro_mlflow.io.artifacts",
    "kedro_mlflow.io.metrics",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "mlflow.pyfunc.scoring_server",
    "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.tracing.processor.otel",
    "narwhals.stable.v2",
    "pandera.backends.pandas.builtin_checks",
    "pandera.backends.pandas.register",
    "pandera.pandas",
    "skops.io",
    "pyarrow.dataset",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.inspection",
    "sqlalchemy.dialects.sqlite",
    "kedro_tabular.models.prepared",  # last, as it freezes what there is
]
_LOG = "data/08_reporting/{model}/{pipeline}.log"


class Event(NamedTuple):
    """What a process tells: that it has started, a node that has run, or the outcome."""

    model: str
    node: str = ""
    outcome: Outcome | None = None


class _Job(NamedTuple):
    task: Task
    process: ForkServerProcess
    connection: Connection


def warm_up() -> None:
    """Start the process that is forked for each model; it imports while the caller goes on."""
    forkserver.set_forkserver_preload(_PRELOADED)
    forkserver.ensure_running()


def run_all(
    project: Path,
    models: Sequence[str],
    pipeline: str,
    environment: str | None,
    jobs: int,
    cores: int,
    parameters: Mapping[str, Any] | None = None,
) -> Iterator[Event]:
    """Run a pipeline for each model, so many at a time. One that fails does not stop the others.

    Args:
        project: the project's folder.
        models: names of models of conf/models.
        pipeline: the pipeline.
        environment: of conf/; none for the default.
        jobs: processes at a time.
        cores: of the machine, among which the processes share the threads of estimators.
        parameters: of the runs, beside those of conf/.

    Yields:
        What happens, as it happens: the start, each node and the outcome of each model.
    """
    warm_up()
    context = multiprocessing.get_context("forkserver")
    threads = max(1, cores // min(jobs, len(models) or 1))
    waiting = [
        Task(project, model, pipeline, environment, threads, project / log, parameters)
        for model, log in ((model, _LOG.format(model=model, pipeline=pipeline)) for model in models)
    ][::-1]
    running: dict[Connection, _Job] = {}
    try:
        yield from _fill(running, waiting, jobs, context)
        while running:
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                event = _receive(running[ready])
                if event.outcome is not None:
                    running.pop(ready).process.join()
                    yield from _fill(running, waiting, jobs, context)
                yield event
    finally:
        for job in running.values():
            job.process.terminate()


def _fill(running: dict[Connection, _Job], waiting: list[Task], jobs: int, context: ForkServerContext) -> list[Event]:
    """Start as many of the waiting tasks as may run, from the last."""
    started = []
    while waiting and len(running) < jobs:
        job = _start(context, waiting.pop())
        running[job.connection] = job
        started.append(Event(job.task.model))
    return started


def _start(context: ForkServerContext, task: Task) -> _Job:
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_task, args=(task, sender), daemon=True)
    process.start()
    sender.close()  # so that the end of the process ends the pipe
    return _Job(task, process, receiver)


def _receive(job: _Job) -> Event:
    try:
        told = job.connection.recv()
    except EOFError:
        job.process.join()
        told = Outcome(reason=f"its process ended with exit code {job.process.exitcode} (see {job.task.log})")
    return Event(job.task.model, outcome=told) if isinstance(told, Outcome) else Event(job.task.model, node=told)
