"""The project's conf/ as commands read it."""

from kedro.config import AbstractConfigLoader, OmegaConfigLoader
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata

from ..hooks import check_table
from ..kedro_project import read_conf


def load_conf(metadata: ProjectMetadata, environment: str | None = None) -> OmegaConfigLoader:
    """The project's configuration, without a Kedro session, whose hooks would start MLflow and an experiment.

    `environment` is as in `read_conf`.
    """
    loader = read_conf(metadata.project_path, environment)
    check_table(loader["parameters"])
    return loader


def connect_mlflow(metadata: ProjectMetadata) -> AbstractConfigLoader:
    """Set MLflow up as conf/ says, and give the project's configuration."""
    with KedroSession.create(metadata.project_path) as session:
        context = session.load_context()  # type: ignore[attr-defined]
        loader: AbstractConfigLoader = context.config_loader
        return loader
