"""The endpoints that tell of the service itself."""

from typing import Any

from fastapi import Response
from fastapi.concurrency import run_in_threadpool

from .backlog import Backlog
from .deployment import Deployment
from .following import RegistryFollower, format_time
from .metrics import ServiceMetrics
from .middleware import json_response


class ServiceEndpoints:
    """The endpoints of any service, each a method with the name of its path."""

    def __init__(self, backlog: Backlog, metrics: ServiceMetrics) -> None:
        self._backlog, self._metrics = backlog, metrics

    async def health(self) -> Response:
        """The process is alive."""
        return json_response({"status": "alive"})

    async def metrics(self) -> Response:
        """Metrics for Prometheus."""
        self._metrics.record_backlog(self._backlog)
        content = await run_in_threadpool(self._metrics.render)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")


class DeploymentEndpoints(ServiceEndpoints):
    """The endpoints of a service with one model."""

    def __init__(self, deployment: Deployment, backlog: Backlog, metrics: ServiceMetrics) -> None:
        super().__init__(backlog, metrics)
        self._deployment = deployment

    async def ready(self) -> Response:
        """A model is loaded and has predicted its input example."""
        identity = self._deployment.current.identity
        payload = {"status": "ready", "model": identity.model, "version": identity.version}
        refused = {"refused": self._deployment.refused_versions}
        return json_response(payload | describe_registry(self._deployment) | refused)

    async def version(self) -> Response:
        """The served version, its run, commit and data."""
        return json_response(vars(self._deployment.current.identity))


def describe_registry(state: RegistryFollower) -> dict[str, Any]:
    """Whether the registry answers, and when it did last."""
    return {
        "registry": state.registry_error or "reachable",
        "refreshed": format_time(state.refreshed),
        "refresh": state.refresh_error or "working",
    }
