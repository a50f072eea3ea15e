"""Connect MLflow to the store that conf/ names, with the credentials that conf/ has for it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from kedro.config import AbstractConfigLoader, MissingConfigException

from ..outages import without_password
from ..parameters import ParameterError
from .artifact_location import IN_PROJECT, artifact_location
from .new_store import create_store
from .relocation import relocate_artifacts, store_file, with_absolute_paths

# Of a request to an MLflow server, unless MLflow's own environment variables say otherwise: the command ends in half a
# minute if the server is down. By MLflow's defaults that takes four minutes.
_MAX_RETRIES, _TIMEOUT = "4", "60"  # the latter in seconds
_CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


def connect(loader: AbstractConfigLoader, project: Path) -> None:
    """Connect MLflow to the store of a project, without an experiment: to read the registry or to move aliases."""
    settings = locate(loader["mlflow"])
    with prepared_store(settings, project):
        export_credentials(loader)
        server = with_absolute_paths(settings, project)["server"]
        mlflow.set_tracking_uri(server["mlflow_tracking_uri"])
        mlflow.set_registry_uri(server.get("mlflow_registry_uri"))  # MLflow takes that of the runs by default


def prepare_target(uri: str) -> str | None:
    """Make another store if it is a file that does not exist; the location of the artifacts of new experiments there.

    Raises ParameterError: it is of another kind.
    """
    store = store_file(Path.cwd(), uri)
    if store is None and uri.startswith("http"):
        return None
    if store is None:
        raise ParameterError(f"{without_password(uri)} is neither an MLflow server (http://…) nor a file (sqlite:///…)")
    with FileLock(f"{store}.lock"):
        create_store(store)
    return (store.parent / IN_PROJECT).absolute().as_uri()


@contextmanager
def connected_to(target: str) -> Iterator[None]:
    """Let MLflow use another store within the block, which its clients of a database need, with its user if it has one.

    The variables TARGET_TRACKING_USERNAME, TARGET_TRACKING_PASSWORD and TARGET_TRACKING_TOKEN say who that is.
    """
    tracking, registry = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    names = {name: name.replace("MLFLOW_", "TARGET_") for name in _CREDENTIALS}
    before = {name: os.environ.get(name) for name in names}
    if any(other in os.environ for other in names.values()):
        _set_variables({name: os.environ.get(other) for name, other in names.items()})
    mlflow.set_tracking_uri(target)
    mlflow.set_registry_uri(target)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(tracking)
        mlflow.set_registry_uri(registry)
        _set_variables(before)


def _set_variables(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def export_credentials(loader: AbstractConfigLoader) -> None:
    """Set the environment variables that `server.credentials` of mlflow.yml names, and the patience with a server.

    A registry that the environment names does not count: it has neither the runs nor the files of the project's models.
    """
    os.environ.pop("MLFLOW_REGISTRY_URI", None)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", _MAX_RETRIES)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", _TIMEOUT)
    name = loader["mlflow"]["server"].get("credentials")
    if name:
        with suppress(MissingConfigException):
            os.environ.update({key: str(value) for key, value in loader["credentials"].get(name, {}).items()})


def locate(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of mlflow.yml with the location of the artifacts of a new experiment. Raises ParameterError."""
    tracking = dict(settings["tracking"])
    experiment = dict(tracking.get("experiment") or {})
    arguments = dict(experiment.get("create_experiment_kwargs") or {})
    location = artifact_location(settings["server"]["mlflow_tracking_uri"], arguments.get("artifact_location"))
    experiment["create_experiment_kwargs"] = arguments | {"artifact_location": location}
    return {**settings, "tracking": tracking | {"experiment": experiment}}


@contextmanager
def prepared_store(settings: Mapping[str, Any], project: Path) -> Iterator[None]:
    """Let a store that is a file exist within the block, with the project's artifacts, made by this process alone."""
    uri = settings["server"]["mlflow_tracking_uri"]
    location = settings["tracking"]["experiment"]["create_experiment_kwargs"]["artifact_location"]
    store = store_file(project, uri)
    # MLflow creates the tables of a new store, and kedro-mlflow its experiment, without regard for other processes.
    with FileLock(f"{store}.lock") if store else nullcontext():
        if store:
            create_store(store)
        relocate_artifacts(project, uri, location)
        yield
