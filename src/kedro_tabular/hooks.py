"""Kedro hooks: parameters inside the catalog, locks on outputs, MLflow tracking, and the summary of a run."""

import logging
import os
import time
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from omegaconf import OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import lineage
from .contract import NO_TABLE
from .errors import AlertError
from .lineage import Catalog
from .parameters import ParameterError
from .project import requested

logger = logging.getLogger(__name__)

# Read when mlflow is imported, which is later than this module.
# Kedro's telemetry is switched off in .telemetry, DVC's in .dvc/config.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

# Warnings of each run about what nobody here can or should change: the type hints of kedro-mlflow's own model, the
# name of the option that Kedro's users know, and two names that MLflow has for one kind of source.
_IGNORED_WARNINGS = (
    "Add type hints to the `predict` method",
    "Any type hint is inferred",
    "'--pipeline' is deprecated",
    "dataset source can be interpreted in multiple ways",
)
logging.getLogger("py.warnings").addFilter(
    lambda record: not any(text in record.getMessage() for text in _IGNORED_WARNINGS)
)

_METRICS, _REPORT, _DUMMY, _MONITORING = "metrics", "report", "dummy_", "monitoring"
_TOLD = 10  # findings; the report has all


def register_params_resolver(parameters: dict[str, Any]) -> None:
    """Let configuration files take values out of the parameters: `${params:table.name}`.

    Raises:
        ParameterError: there is no table yet that they could be about.
    """
    if parameters.get("table", {}) is None:
        raise ParameterError(NO_TABLE)
    values = OmegaConf.create(parameters)
    OmegaConf.register_new_resolver("params", lambda key: OmegaConf.select(values, key), replace=True)


class ParamsResolver:
    """Lets catalog.yml and mlflow.yml say `${params:table.name}`, so that nothing is stated twice."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Register the resolver before kedro-mlflow or the catalog read their files.

        Addresses in conf/, such as that of the MLflow store, are relative to the project's folder, from
        wherever it is used: a notebook, a subfolder.
        """
        os.chdir(context.project_path)
        register_params_resolver(context.config_loader["parameters"])


class MlflowTracking:
    """Brings MLflow in where a run is tracked, and leaves it out where it is not: importing it costs seconds.

    A run of pipelines whose tracking conf/base/mlflow.yml disables, such as those that make data, needs none.
    """

    # pluggy loads no plugin of a name that is taken: kedro-mlflow's own hook, which would import MLflow in
    # every run, stays out. RunTracking is that hook, changed.
    __name__ = "mlflow_hook"

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Register the hook that tracks the run, unless its tracking is disabled."""
        disabled = context.config_loader["mlflow"]["tracking"]["disable_tracking"]["pipelines"]
        if requested(disabled):
            return
        from .lineage import RunTracking

        tracking = RunTracking()
        context._hook_manager.register(tracking)
        tracking.after_context_created(context)


class InputCheck:
    """Warns of inputs that were changed behind DVC's back."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Learn where the project is."""
        self._project = Path(context.project_path)

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Learn where datasets live."""
        self._catalog = Catalog(conf_catalog)

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Compare each file that DVC tracks by a pointer with what the pointer says."""
        for name, md5 in self._catalog.contents(self._project, pipeline.inputs()).items():
            path = str(self._catalog.path_in(self._project, name))
            if lineage.pointer(path, self._project).get("md5", md5) != md5:
                keep, undo = f"dvc add {path}", f"dvc checkout {path}.dvc"
                logger.warning("%s is not the file that DVC knows. Keep it: %s, undo it: %s", path, keep, undo)


class OutputLocks:
    """Lets one run at a time write a dataset: a second one in the same folder waits for the first to end."""

    def __init__(self) -> None:
        self._locks: list[BaseFileLock] = []

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Learn where the project is."""
        self._project = Path(context.project_path)

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Learn where datasets live."""
        self._catalog = Catalog(conf_catalog)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Take the lock of each file to be written, always in the same order. They go with the process."""
        self._release()  # what a run that failed before it began has left, as in a notebook
        folder = self._project / "data" / ".locks"
        written = sorted(n for n in pipeline.all_outputs() if self._catalog.path_in(self._project, n))
        if written:
            folder.mkdir(parents=True, exist_ok=True)
        for name in written:
            lock = FileLock(folder / name)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                logger.info("another run is writing %s: waiting for it to end", name)
                lock.acquire()
            self._locks.append(lock)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Let the next run write."""
        self._release()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Let the next run write."""
        self._release()

    def _release(self) -> None:
        while self._locks:
            self._locks.pop().release()


class RunSummary:
    """Prints a line for each finished node, and for a run that evaluates a model its result."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Note when the node starts."""
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Say that the node is done, and how long it took."""
        logger.info("%-17s %5.1f s", node.name, time.perf_counter() - self._started[node.name])

    @hook_impl(trylast=True)  # all else has to be done before the run ends with an error
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Print what has come out, and what to look at next.

        Raises:
            AlertError: monitoring has found what it is to fail on.
        """
        if _METRICS in pipeline.all_outputs():
            self._print_metrics(pipeline, catalog)
        if _MONITORING in pipeline.all_outputs():
            self._print_monitoring(catalog.load(_MONITORING))

    def _print_monitoring(self, monitoring: dict[str, Any]) -> None:
        table = Table("Check", "What", "Found")
        for finding in monitoring["findings"][:_TOLD]:
            told = (finding["check"].replace("_", " "), finding["subject"], finding["says"])
            table.add_row(*map(escape, told))  # clients choose the categories that are named
        console, more = Console(), len(monitoring["findings"]) - _TOLD
        if monitoring["findings"]:
            console.print(table)
        console.print(f"Verdict: {monitoring['verdict']}{f', and {more} more findings' if more > 0 else ''}.")
        console.print("Next: open data/08_reporting/monitoring.html")
        if monitoring["fails"]:
            raise AlertError(f"monitoring raised an alert of {monitoring['findings'][0]['subject']}")

    def _print_metrics(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        metrics = catalog.load(_METRICS)
        table = Table("Metric", "Model", "Dummy")
        for name, value in metrics.items():
            if not name.startswith(_DUMMY):
                dummy = metrics.get(_DUMMY + name)
                table.add_row(name, f"{value:.4f}", "" if dummy is None else f"{dummy:.4f}")
        console = Console()
        console.print(table)
        if _REPORT in pipeline.all_outputs():
            console.print("Next: open data/08_reporting/report.html, or `make ui` for all runs and models.")


HOOKS = (ParamsResolver(), OutputLocks(), MlflowTracking(), InputCheck(), RunSummary())
