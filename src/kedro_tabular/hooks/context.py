"""Hooks on the context: parameters in the catalog and in mlflow.yml, defaults of sections, MLflow tracking."""

import os
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from omegaconf import OmegaConf

from ..contract import NO_TABLE
from ..kedro_project import requested_pipelines
from ..parameters import OPTIONAL_SECTIONS, ParameterError


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
        from ..lineage import RunTracking

        tracking = RunTracking()
        context._hook_manager.register(tracking)  # Kedro has no public name for it; tested in test_hooks.py
        tracking.after_context_created(context)
