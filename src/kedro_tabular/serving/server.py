"""Start the service with uvicorn, in one process or in several."""

import gc
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI

from .app import create_app
from .deployment import Deployment
from .metrics import SHARED
from .settings import Serving

logger = logging.getLogger(__name__)

_CONFIGURATION = "SERVING_CONFIGURATION"  # how several processes learn it


def serve(settings: Serving, name: str, registry: str) -> None:
    """Run until the process is told to end; requests that were accepted are answered first.

    Args:
        settings: `params:serving`.
        name: the registered model.
        registry: address of the MLflow registry.

    Raises:
        DeploymentError: there is no version that can answer.
    """
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": int(settings.limits.seconds) + 1,
    }
    deployment = _start(settings, name, registry)
    logger.info(
        "%s version %s answers on http://%s:%s, see /docs there", name, deployment.shown, settings.host, settings.port
    )
    key = os.environ.get(settings.api_key_variable) or None
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    if settings.workers == 1:
        uvicorn.run(create_app(settings, deployment, key), **options)
        return
    configuration = {"settings": settings.model_dump(), "name": name, "registry": registry}
    os.environ[_CONFIGURATION] = orjson.dumps(configuration).decode()
    with tempfile.TemporaryDirectory() as shared:
        os.environ[SHARED] = shared
        factory = f"{__name__}:create_from_environment"
        uvicorn.run(factory, factory=True, workers=settings.workers, **options)


def create_from_environment() -> FastAPI:
    """The service in one of several processes."""
    told = orjson.loads(os.environ[_CONFIGURATION])
    settings = Serving.read("serving", told["settings"])
    deployment = _start(settings, told["name"], told["registry"])
    return create_app(settings, deployment, os.environ.get(settings.api_key_variable) or None)


def _start(settings: Serving, name: str, registry: str) -> Deployment:
    import mlflow

    mlflow.set_tracking_uri(registry)
    deployment = Deployment(name, settings.model, Path(settings.local_copy))
    deployment.start()
    gc.freeze()  # what is loaded stays: looking through it again and again would hold up requests
    return deployment
