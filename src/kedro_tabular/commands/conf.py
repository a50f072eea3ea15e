"""The project's conf/ as commands read it."""

import os

from kedro.config import AbstractConfigLoader, OmegaConfigLoader
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata

from .. import lineage
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
    """Connect MLflow to the store of conf/, in the project's folder, and give the project's configuration.

    Unlike a Kedro session, this creates no experiment, which a person who may only read would then own.
    """
    loader = load_conf(metadata)
    if loader["mlflow"]["server"].get("request_header_provider"):  # kedro-mlflow registers it, with its context
        with KedroSession.create(metadata.project_path) as session:
            session.load_context()  # type: ignore[attr-defined]
        return loader
    os.chdir(metadata.project_path)  # paths of conf/ are relative to it
    lineage.connect(loader, metadata.project_path)
    return loader
