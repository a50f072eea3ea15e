from .client import Client, RefusedError
from .local_cache import DeploymentError
from .replay import Replay, Span, cut
from .server import serve
from .settings import Serving

__all__ = ["Client", "DeploymentError", "RefusedError", "Replay", "Serving", "Span", "cut", "serve"]
