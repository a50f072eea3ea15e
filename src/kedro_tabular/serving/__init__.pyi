from .local_cache import DeploymentError
from .replay import Client, Replay, ReplayPeriod, ResponseError, select_period
from .server import fetch, serve
from .settings import ServingSettings

__all__ = [
    "Client",
    "DeploymentError",
    "Replay",
    "ReplayPeriod",
    "ResponseError",
    "ServingSettings",
    "fetch",
    "select_period",
    "serve",
]
