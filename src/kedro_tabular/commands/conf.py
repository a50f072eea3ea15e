"""The project's conf/ as commands read it."""

import os
import re
from typing import NamedTuple

import click
from kedro.config import AbstractConfigLoader
from kedro.framework.session import KedroSession
from kedro.framework.startup import ProjectMetadata

from .. import lineage
from ..config import ConfigLoader, model_names, read_conf
from ..hooks import check_table
from ..kedro_project import MODEL_VARIABLE

_REFERENCE = re.compile(r"(?P<model>[\w-]+)(?:@(?P<alias>[\w-]+)|/(?P<version>\d+))")


def load_conf(metadata: ProjectMetadata, environment: str | None = None, model: str | None = None) -> ConfigLoader:
    """The project's configuration, without a Kedro session, whose hooks would start MLflow and an experiment.

    `environment` and `model` are as in `read_conf`.
    """
    loader = read_conf(metadata.project_path, environment, model)
    check_table(loader["parameters"])
    return loader


def connect_mlflow(metadata: ProjectMetadata, model: str | None = None) -> AbstractConfigLoader:
    """Connect MLflow to the store of conf/, in the project's folder, and give the project's configuration.

    Unlike a Kedro session, this creates no experiment, which a person who may only read would then own. `model` is as
    in `read_conf`.
    """
    loader = load_conf(metadata, model=model)
    if loader["mlflow"]["server"].get("request_header_provider"):  # kedro-mlflow registers it, with its context
        with KedroSession.create(metadata.project_path) as session:
            session.load_context()  # type: ignore[attr-defined]
        return loader
    os.chdir(metadata.project_path)  # paths of conf/ are relative to it
    lineage.connect(loader, metadata.project_path)
    return loader


def require_model(metadata: ProjectMetadata, loader: AbstractConfigLoader) -> None:
    """Raises ClickException: the project has several models, and none is chosen."""
    names = model_names(metadata.project_path / "conf")
    if names and not getattr(loader, "model", ""):
        raise click.ClickException(f"choose a model with {MODEL_VARIABLE}=NAME; the models are: {', '.join(names)}")


def split_reference(text: str) -> tuple[str | None, str]:
    """The model, and the version or alias, of a reference such as `store_12@champion`; no model if it names none."""
    written = _REFERENCE.fullmatch(text)
    return (written["model"], written["alias"] or written["version"]) if written else (None, text)


class Reference(NamedTuple):
    """A version, alias, run or file, the registered model that it is of, and the configuration of that model."""

    text: str
    model: str
    conf: AbstractConfigLoader


def connect_reference(metadata: ProjectMetadata, text: str, model: str | None = None) -> Reference:
    """Connect MLflow, and say which model a reference is of.

    Args:
        metadata: of the project.
        text: as MLflow writes it, `store_12@champion` or `store_12/3`, or without the model.
        model: the model of a reference without one; by default that of conf/.
    """
    written, text = split_reference(text)
    model = written or model
    known = model if model in model_names(metadata.project_path / "conf") else None
    conf = connect_mlflow(metadata, known)
    if model is None:
        require_model(metadata, conf)
    return Reference(text, model or conf["parameters"]["table"]["name"], conf)
