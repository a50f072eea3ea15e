"""Hooks on the datasets of a run: what DVC tracks of them, and locks on those that it writes."""

import logging
import os
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout
from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from ..lineage import Catalog, check_stage, read_dvc_file

_REGISTERED = "RegisteredModelDataset"

logger = logging.getLogger(__name__)


class CatalogHook:
    """A hook that needs the project's folder, the catalog's configuration and the parameters."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the project's folder."""
        self._project = Path(context.project_path)

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any], parameters: dict[str, Any]) -> None:
        """Keep the catalog and the parameters."""
        self._catalog, self._parameters = Catalog(conf_catalog), parameters["parameters"]


class StageCheck(CatalogHook):
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


class RegistrationCheck(CatalogHook):
    """Refuses a run that would register a version if its user may not, before it trains for that."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Ask the MLflow server. Raises MlflowException."""
        kinds = (str(self._catalog.entry(name).get("type")) for name in pipeline.all_outputs())
        if not any(kind.endswith(_REGISTERED) for kind in kinds):
            return
        from .. import registry

        if self._parameters.get("packaging", {}).get("register", True):
            registry.check_may_register(self._parameters["table"]["name"])


class InputCheck(CatalogHook):
    """Warns if an input is not the version that DVC tracks."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Compare each input with its `.dvc` file, if it has one."""
        for name, md5 in self._catalog.content_md5s(self._project, pipeline.inputs()).items():
            path = str(self._catalog.relative_path(self._project, name))
            if read_dvc_file(path, self._project).get("md5", md5) != md5:
                keep, undo = f"dvc add {path}", f"dvc checkout {path}.dvc"
                logger.warning("%s differs from its .dvc file. To keep it: %s, to undo it: %s", path, keep, undo)


class OutputLocks(CatalogHook):
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
            path = str(self._catalog.relative_path(self._project, name))
            lock = FileLock(folder / f"{path.replace('/', '.')}.lock")  # of a file: each model has its own
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
