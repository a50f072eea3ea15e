"""Hooks on the context: the project's folder, defaults of sections, MLflow tracking."""

import os
from pathlib import Path
from typing import Any

from kedro.framework import project
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol, SharedMemoryDataCatalog
from kedro.pipeline import Pipeline
from omegaconf import OmegaConf

from ..config import ConfigLoader, is_of_model, model_names
from ..contract import NO_TABLE
from ..kedro_project import MODEL_VARIABLE, TABLE, requested_pipelines
from ..lineage import Catalog
from ..parameters import OPTIONAL_SECTIONS, ParameterError

_SEGMENT_TABLES = "segment_tables"


def check_table(parameters: dict[str, Any]) -> None:
    """Raises ParameterError: there is no table yet."""
    if parameters.get("table", {}) is None:
        raise ParameterError(NO_TABLE)


class ProjectFolder:
    """Runs a project that has a table, in its folder."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Change to the project's folder, before kedro-mlflow or the catalog read their files.

        Paths in conf/, such as that of the MLflow store, are relative to it, but Kedro may run in a notebook or a
        subfolder.
        """
        os.chdir(context.project_path)
        if isinstance(context.config_loader, ConfigLoader) and context.config_loader.model:
            os.environ[MODEL_VARIABLE] = context.config_loader.model  # of --params, for the registry of pipelines
        parameters = context.config_loader["parameters"]
        check_table(parameters)
        if not isinstance(context.config_loader, ConfigLoader):  # settings.py is that of an earlier release
            values = OmegaConf.create(parameters)
            OmegaConf.register_new_resolver("params", lambda key: OmegaConf.select(values, key), replace=True)


class ModelCheck:
    """Refuses a run of a project with several models that does not say which one it is of, or that is of all."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the loader of conf/."""
        self._loader, self._project = context.config_loader, Path(context.project_path)

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Keep the paths."""
        self._catalog = Catalog(conf_catalog)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Raises ParameterError: the run would write files that each model has of its own."""
        names = model_names(self._project / project.settings.CONF_SOURCE)
        if not names or not isinstance(self._loader, ConfigLoader):
            return
        if self._loader.model and pipeline.all_outputs() & {TABLE, _SEGMENT_TABLES}:
            raise ParameterError(f"all models share this pipeline: run it without a model (unset {MODEL_VARIABLE})")
        if self._loader.model:
            return
        written = (self._catalog.relative_path(self._project, name) for name in pipeline.all_outputs())
        if any(path and is_of_model(path) for path in written):
            raise ParameterError(
                f"choose a model with --params=model=NAME or {MODEL_VARIABLE}=NAME, or train several with "
                f"`kedro models train`; the models are: {', '.join(names)}"
            )


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
    _is_tracked = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Register the hook that tracks the run, unless its tracking is disabled."""
        disabled = context.config_loader["mlflow"]["tracking"]["disable_tracking"]["pipelines"]
        self._is_tracked = not requested_pipelines(disabled)
        if not self._is_tracked:
            return
        from ..lineage import RunTracking, export_credentials

        export_credentials(context.config_loader)
        tracking = RunTracking()
        context._hook_manager.register(tracking)  # Kedro has no public name for it; tested in test_hooks.py
        tracking.after_context_created(context)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, catalog: CatalogProtocol) -> None:
        """Refuse processes that call no hooks, as their data would not be recorded. Raises ParameterError."""
        if self._is_tracked and isinstance(catalog, SharedMemoryDataCatalog):
            problem = "ParallelRunner: its processes don't record what they read and write in the MLflow run"
            raise ParameterError(f"{problem}; use --runner=ThreadRunner, or leave --runner out")
