from .local_cache import DeploymentError
from .replay import Client, Replay, ReplayPeriod, ResponseError, select_period
from .routing import Router
from .server import fetch, fetch_many, serve, serve_many
from .settings import ManySettings, ServingSettings

__all__ = [
    "Client",
    "DeploymentError",
    "ManySettings",
    "Replay",
    "ReplayPeriod",
    "ResponseError",
    "Router",
    "ServingSettings",
    "fetch",
    "fetch_many",
    "select_period",
    "serve",
    "serve_many",
]
