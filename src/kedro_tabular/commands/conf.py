"""The project's conf/ as commands read it."""

import os

from kedro.config import AbstractConfigLoader, OmegaConfigLoader
from kedro.framework.project import settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata

from ..hooks import register_params_resolver


def load_conf(metadata: ProjectMetadata, base_only: bool = False) -> OmegaConfigLoader:
    """The project's configuration, without a Kedro session, whose hooks would start MLflow and an experiment."""
    arguments = {"env": os.environ.get("KEDRO_ENV"), **settings.CONFIG_LOADER_ARGS}  # as in a session
    if base_only:
        arguments = {"base_env": "base", "default_run_env": "base"}
    loader = OmegaConfigLoader(str(metadata.project_path / "conf"), **arguments)
    register_params_resolver(loader["parameters"])
    return loader


def connect_mlflow(metadata: ProjectMetadata) -> AbstractConfigLoader:
    """Set MLflow up as conf/ says, and give the project's configuration."""
    with KedroSession.create(metadata.project_path) as session:
        context = session.load_context()  # type: ignore[attr-defined]
        loader: AbstractConfigLoader = context.config_loader
        return loader
