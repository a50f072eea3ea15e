"""Starts the service with uvicorn, in one process or in several."""

import gc
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import orjson
import uvicorn
from fastapi import FastAPI
from kedro.io import DatasetError
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from ..outages import describe_outage
from ..parameters import ParameterError
from .app import create_app, create_many_app
from .authentication import read_api_keys
from .connections import connection_options
from .deployment import Deployment
from .deployments import Deployments
from .local_cache import DeploymentError
from .log.prediction_log import PredictionLog
from .metrics import SHARED_FOLDER
from .settings import ManySettings, ServingSettings

logger = logging.getLogger(__name__)

_CONFIGURATION = "SERVING_CONFIGURATION"  # environment variable: the configuration for several processes


def serve(settings: ServingSettings, name: str, registry: str) -> None:
    """Serve the model `name` of an MLflow registry until the process is terminated; open requests are completed.

    Of several processes, one that ends is replaced.

    Raises:
        DeploymentError: no version can be served, or one of several processes can't start.
        ParameterError: the API keys can't be read, or other machines would reach the service without one.
        DatasetError: the prediction log is not available.
    """
    api_keys = read_api_keys(settings)  # before anything is loaded
    deployment = _start_deployment(settings, name, registry)
    served = f"{name} version {deployment.current.identity.version} is"
    configuration = {"settings": settings.model_dump(), "name": name, "registry": registry}
    _serve(settings, served, configuration, lambda: create_app(settings, deployment, api_keys))


def serve_many(settings: ManySettings, registry: str) -> None:
    """Serve all models of an MLflow registry that the settings name; otherwise as `serve`."""
    api_keys = read_api_keys(settings.shared)
    deployments = _start_deployments(settings, registry)
    served = f"{len(settings.models)} models are"
    configuration = {"many": settings.model_dump(), "registry": registry}
    _serve(settings.shared, served, configuration, lambda: create_many_app(deployments, api_keys))


def fetch(settings: ServingSettings, name: str, registry: str) -> None:
    """Store the served version in the local copy, from which the service starts without the registry.

    Raises:
        DeploymentError: no version can be served.
    """
    identity = _start_deployment(settings, name, registry).current.identity
    logger.info("%s version %s is in %s", name, identity.version, settings.local_copy)


def fetch_many(settings: ManySettings, registry: str) -> None:
    """Store the served versions of all models in the local copy; otherwise as `fetch`."""
    names = _start_deployments(settings, registry).fetch()
    others = sorted(set(settings.models) - set(names))
    logger.info("%d models are in %s: %s", len(names), settings.shared.local_copy, ", ".join(names))
    if others:
        logger.warning("these have no version to serve: %s", ", ".join(others))


def _serve(
    settings: ServingSettings, served: str, configuration: dict[str, Any], make_app: Callable[[], FastAPI]
) -> None:
    """Run an application, or several processes that each make one of their own from the configuration."""
    seconds = int(settings.limits.seconds) + 1
    options: dict[str, Any] = {"host": settings.host, "port": settings.port, "log_config": None, "access_log": False}
    options |= {"server_header": False, "timeout_graceful_shutdown": seconds} | connection_options()
    url = f"http://{settings.host}:{settings.port}"
    logger.info("%s served on %s, see %s/docs", served, url, url)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    if settings.workers == 1:
        uvicorn.run(make_app(), **options)
        return
    if settings.log:
        PredictionLog(settings.log.url).close()  # so that the processes find it
    os.environ[_CONFIGURATION] = orjson.dumps(configuration).decode()
    with tempfile.TemporaryDirectory() as shared:
        os.environ[SHARED_FOLDER] = shared
        # A process counts as hung, and is replaced, only if a request would have timed out.
        options |= {"workers": settings.workers, "timeout_worker_healthcheck": seconds}
        _run_processes(uvicorn.Config(f"{__name__}:create_from_environment", factory=True, **options))


def _run_processes(config: uvicorn.Config) -> None:
    supervisor = Multiprocess(config, [config.bind_socket()])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise DeploymentError("a process of the service can't start: see its messages above")


def create_from_environment() -> FastAPI:
    """The application of one of several processes. If that fails, the process ends, and another one tries again."""
    configuration = orjson.loads(os.environ[_CONFIGURATION])
    try:
        if "many" in configuration:
            many = ManySettings.read("serving", configuration["many"])
            return create_many_app(_start_deployments(many, configuration["registry"]), read_api_keys(many.shared))
        settings = ServingSettings.read("serving", configuration["settings"])
        deployment = _start_deployment(settings, configuration["name"], configuration["registry"])
        return create_app(settings, deployment, read_api_keys(settings))
    except (DeploymentError, DatasetError, ParameterError, OSError) as error:
        logger.error("a process of the service can't start, and is tried again: %s", describe_outage(error) or error)
        sys.exit(1)


def _start_deployment(settings: ServingSettings, name: str, registry: str) -> Deployment:
    _connect(registry)
    deployment = Deployment(name, settings.model, Path(settings.local_copy))
    deployment.start()
    gc.freeze()  # loaded objects stay: the garbage collector need not look at them during requests
    return deployment


def _start_deployments(settings: ManySettings, registry: str) -> Deployments:
    _connect(registry)
    deployments = Deployments(settings)
    deployments.start()
    gc.freeze()  # mostly what libraries have made; models that are loaded later can be freed
    return deployments


def _connect(registry: str) -> None:
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns at each refresh; the deployment does so once
    mlflow.set_tracking_uri(registry)
