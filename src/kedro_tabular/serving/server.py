"""Starts the service with uvicorn, in one process or in several."""

import gc
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import orjson
import uvicorn
from fastapi import FastAPI

from .app import create_app
from .authentication import read_api_keys
from .deployment import Deployment
from .metrics import SHARED_FOLDER
from .settings import ServingSettings

logger = logging.getLogger(__name__)

_CONFIGURATION = "SERVING_CONFIGURATION"  # environment variable: the configuration for several processes


def serve(settings: ServingSettings, name: str, registry: str) -> None:
    """Serve the model `name` of an MLflow registry until the process is terminated; open requests are completed.

    Raises:
        DeploymentError: no version can be served.
        ParameterError: the API keys can't be read, or other machines would reach the service without one.
    """
    read_api_keys(settings)  # before anything is loaded
    options: dict[str, Any] = {"host": settings.host, "port": settings.port, "log_config": None, "access_log": False}
    options |= {"server_header": False, "timeout_graceful_shutdown": int(settings.limits.seconds) + 1}
    deployment = _start_deployment(settings, name, registry)
    url = f"http://{settings.host}:{settings.port}"
    logger.info("%s version %s is served on %s, see %s/docs", name, deployment.current.identity.version, url, url)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    if settings.workers == 1:
        uvicorn.run(create_app(settings, deployment, read_api_keys(settings)), **options)
        return
    configuration = {"settings": settings.model_dump(), "name": name, "registry": registry}
    os.environ[_CONFIGURATION] = orjson.dumps(configuration).decode()
    with tempfile.TemporaryDirectory() as shared:
        os.environ[SHARED_FOLDER] = shared
        factory = f"{__name__}:create_from_environment"
        uvicorn.run(factory, factory=True, workers=settings.workers, **options)


def create_from_environment() -> FastAPI:
    """The application of one of several processes."""
    configuration = orjson.loads(os.environ[_CONFIGURATION])
    settings = ServingSettings.read("serving", configuration["settings"])
    deployment = _start_deployment(settings, configuration["name"], configuration["registry"])
    return create_app(settings, deployment, read_api_keys(settings))


def _start_deployment(settings: ServingSettings, name: str, registry: str) -> Deployment:
    mlflow.set_tracking_uri(registry)
    deployment = Deployment(name, settings.model, Path(settings.local_copy))
    deployment.start()
    gc.freeze()  # loaded objects stay: the garbage collector need not look at them during requests
    return deployment
