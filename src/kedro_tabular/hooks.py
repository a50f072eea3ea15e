"""Kedro hooks: parameters in the catalog, MLflow tracking, locks on outputs, a check of inputs, a run summary."""

import logging
import os
import time
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout
from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from omegaconf import OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .contract import NO_TABLE
from .errors import AlertError
from .evaluation import BASELINE
from .kedro_project import requested_pipelines
from .lineage import Catalog, check_stage, read_dvc_file
from .parameters import OPTIONAL_SECTIONS, ParameterError

logger = logging.getLogger(__name__)

# Read when mlflow is imported, which is later than this module.
# Kedro's telemetry is switched off in .telemetry, DVC's in .dvc/config.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

# Warnings that the user can't or should not act on: about the type hints of kedro-mlflow's own model, the option that
# Kedro's users know, and the two names that MLflow has for one kind of source.
_IGNORED_WARNINGS = (
    "Add type hints to the `predict` method",
    "Any type hint is inferred",
    "'--pipeline' is deprecated",
    "dataset source can be interpreted in multiple ways",
)
logging.getLogger("py.warnings").addFilter(
    lambda record: not any(text in record.getMessage() for text in _IGNORED_WARNINGS)
)

_METRICS, _REPORT, _MONITORING = "metrics", "report", "monitoring"
_MAX_FINDINGS = 10  # in the summary; the report has all


def register_params_resolver(parameters: dict[str, Any]) -> None:
    """Let configuration files use values of the parameters: `${params:table.name}`.

    Raises:
        ParameterError: there is no table yet.
    """
    if parameters.get("table", {}) is None:
        raise ParameterError(NO_TABLE)
    values = OmegaConf.create(parameters)
    OmegaConf.register_new_resolver("params", lambda key: OmegaConf.select(values, key), replace=True)


class ParamsResolver:
    """Allows `${params:table.name}` in catalog.yml and mlflow.yml, so that nothing is configured twice."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Register the resolver before kedro-mlflow or the catalog read their files.

        Also change to the project's folder: paths in conf/, such as that of the MLflow store, are relative to it,
        but Kedro may run in a notebook or a subfolder.
        """
        os.chdir(context.project_path)
        register_params_resolver(context.config_loader["parameters"])


class DefaultSections:
    """Sections of the parameters that conf/ of an earlier release does not have: the library's defaults apply."""

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol) -> None:
        """Add each missing section to the catalog, without values of its own."""
        for name in OPTIONAL_SECTIONS:
            if f"params:{name}" not in catalog:
                catalog[f"params:{name}"] = {}


class MlflowTracking:
    """Imports MLflow, which takes seconds, only in runs that are tracked.

    conf/base/mlflow.yml disables tracking for some pipelines, such as those that make data.
    """

    # pluggy loads no plugin whose name is taken: this excludes kedro-mlflow's own hook, which would import MLflow in
    # every run. RunTracking extends that hook.
    __name__ = "mlflow_hook"

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Register the hook that tracks the run, unless its tracking is disabled."""
        disabled = context.config_loader["mlflow"]["tracking"]["disable_tracking"]["pipelines"]
        if requested_pipelines(disabled):
            return
        from .lineage import RunTracking

        tracking = RunTracking()
        context._hook_manager.register(tracking)  # Kedro has no public name for it; tested in test_hooks.py
        tracking.after_context_created(context)


class _CatalogHook:
    """A hook that needs the project's folder and the catalog's configuration."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._project = Path(context.project_path)

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        self._catalog = Catalog(conf_catalog)


class StageCheck(_CatalogHook):
    """Refuses a stage of DVC that would read parameters or catalog entries that DVC does not track."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the loader of conf/."""
        super().after_context_created(context)
        self._loader = context.config_loader

    @hook_impl(tryfirst=True)  # before a run is recorded or a file is locked
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Compare them, if DVC has started the run. Raises ParameterError."""
        if "DVC_STAGE" in os.environ and isinstance(self._loader, OmegaConfigLoader):
            check_stage(pipeline, self._catalog, self._loader, self._project)


class InputCheck(_CatalogHook):
    """Warns if an input is not the version that DVC tracks."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Compare each input with its `.dvc` file, if it has one."""
        for name, md5 in self._catalog.content_md5s(self._project, pipeline.inputs()).items():
            path = str(self._catalog.relative_path(self._project, name))
            if read_dvc_file(path, self._project).get("md5", md5) != md5:
                keep, undo = f"dvc add {path}", f"dvc checkout {path}.dvc"
                logger.warning("%s differs from its .dvc file. To keep it: %s, to undo it: %s", path, keep, undo)


class OutputLocks(_CatalogHook):
    """Locks the datasets that a run writes: a second run in the same folder waits for the first to end."""

    def __init__(self) -> None:
        self._locks: list[BaseFileLock] = []

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Lock each output, always in the same order. A lock ends with its process."""
        self.after_pipeline_run()  # a run may have failed before it started, as in a notebook
        folder = self._project / "data" / ".locks"
        outputs = sorted(n for n in pipeline.all_outputs() if self._catalog.relative_path(self._project, n))
        if outputs:
            folder.mkdir(parents=True, exist_ok=True)
        for name in outputs:
            lock = FileLock(folder / name)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                logger.info("waiting for another run that writes %s", name)
                lock.acquire()
            self._locks.append(lock)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Release all locks."""
        while self._locks:
            self._locks.pop().release()

    on_pipeline_error = after_pipeline_run


class RunSummary:
    """Prints a line for each finished node, and the results of an evaluation or of monitoring."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Record when the node starts."""
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Log how long the node took."""
        logger.info("%-17s %5.1f s", node.name, time.perf_counter() - self._started[node.name])

    @hook_impl(trylast=True)  # an alert raises an error, after all other hooks
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Print the results, and what to open next.

        Raises:
            AlertError: monitoring raised an alert of a level that fails the run.
        """
        if _METRICS in pipeline.all_outputs():
            self._print_metrics(catalog.load(_METRICS))
            if _REPORT in pipeline.all_outputs():
                Console().print("Next: open data/08_reporting/report.html, or `make ui` for all runs and models.")
        if _MONITORING in pipeline.all_outputs():
            self._print_monitoring(catalog.load(_MONITORING))

    def _print_monitoring(self, monitoring: dict[str, Any]) -> None:
        findings = monitoring["findings"]
        table = Table("Check", "Subject", "Finding")
        for finding in findings[:_MAX_FINDINGS]:
            cells = (finding["check"].replace("_", " "), finding["subject"], finding["says"])
            table.add_row(*map(escape, cells))  # they contain categories, which clients of the service choose
        console, more = Console(), len(findings) - _MAX_FINDINGS
        if findings:
            console.print(table)
        console.print(f"Verdict: {monitoring['verdict']}{f', and {more} more findings' if more > 0 else ''}.")
        console.print("Next: open data/08_reporting/monitoring.html")
        if monitoring["fails"]:
            raise AlertError(f"monitoring raised an alert of {findings[0]['subject']}")

    def _print_metrics(self, metrics: dict[str, float]) -> None:
        table = Table("Metric", "Model", "Baseline")
        for name, value in metrics.items():
            if not name.startswith(BASELINE):
                baseline = metrics.get(BASELINE + name)
                table.add_row(name, f"{value:.4f}", "" if baseline is None else f"{baseline:.4f}")
        Console().print(table)


HOOKS = (ParamsResolver(), DefaultSections(), OutputLocks(), StageCheck(), MlflowTracking(), InputCheck(), RunSummary())
