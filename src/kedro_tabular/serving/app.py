"""The FastAPI applications: of one model, and of many."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .assembly import Endpoint, ServiceParts, assemble
from .authentication import ApiKeys
from .backlog import Backlog
from .batching import Batcher
from .bodies import BodyParser
from .deployment import Deployment
from .deployments import Deployments
from .endpoints import ModelEndpoints
from .log.prediction_log import PredictionLog
from .many_endpoints import ManyEndpoints
from .many_openapi import complete_many
from .metrics import ServiceMetrics
from .openapi import complete_openapi
from .service_endpoints import DeploymentEndpoints
from .settings import ServingSettings

_TITLE = "models"  # of a service with many


def create_app(settings: ServingSettings, deployment: Deployment, api_keys: ApiKeys) -> FastAPI:
    """The service of a deployment that has started; requests must send an API key, if there are any."""
    log = PredictionLog(settings.log.url) if settings.log else None
    name = deployment.current.identity.model
    metrics, batcher = ServiceMetrics(name), Batcher(deployment, log, settings.key_columns, settings.limits)
    of_model = ModelEndpoints(settings, batcher, metrics, BodyParser())
    of_service = DeploymentEndpoints(deployment, batcher.backlog, metrics)
    parts = ServiceParts(
        name, settings, metrics, batcher.backlog, log, deployment, lambda: [deployment], batcher.close, default=name
    )
    get = {f"/{path}": getattr(of_service, path) for path in ("health", "ready", "version", "metrics")}
    post = {"/predict": of_model.predict, "/invocations": of_model.invocations}
    app = assemble(parts, api_keys, get, post | ({"/outcomes": of_model.outcomes} if log else {}))

    def openapi() -> dict[str, Any]:
        version = deployment.current
        schema = get_openapi(title=name, version=f"version {version.identity.version}", routes=app.routes)
        return complete_openapi(schema, version, with_api_key=api_keys.required)

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
    return app


def create_many_app(deployments: Deployments, api_keys: ApiKeys) -> FastAPI:
    """The service of all models of a project, of which one has started; API keys as for one model."""
    settings = deployments.settings
    shared, default = settings.shared, settings.default or ""
    log = PredictionLog(shared.log.url) if shared.log else None
    metrics, backlog, parser = ServiceMetrics(default), Backlog(shared.limits), BodyParser()

    def make_endpoints(deployment: Deployment) -> ModelEndpoints:
        own = settings.models[deployment.name]
        batcher = Batcher(deployment, log, own.key_columns, own.limits, backlog)
        return ModelEndpoints(own, batcher, metrics, parser)

    deployments.attach(make_endpoints)
    of = ManyEndpoints(deployments, backlog, metrics, parser, log)
    parts = ServiceParts(
        _TITLE,
        shared,
        metrics,
        backlog,
        log,
        deployments,
        lambda: deployments.loaded,
        deployments.close_batchers,
        default,
        models=list(settings.models),
    )
    get = {f"/{path}": getattr(of, path) for path in ("health", "ready", "models", "metrics")}
    post: dict[str, Endpoint] = {
        "/models/{name}/predict": of.predict_by,
        "/models/{name}/invocations": of.invocations_by,
    }
    is_routed = bool(settings.segments or settings.default)
    post |= {"/predict": of.predict} if is_routed else {}
    if log is not None:
        post |= {"/models/{name}/outcomes": of.outcomes_by} | ({"/outcomes": of.outcomes} if is_routed else {})
    app = assemble(parts, api_keys, get, post)

    def openapi() -> dict[str, Any]:
        schema = get_openapi(title=_TITLE, version=f"{len(settings.models)} models", routes=app.routes)
        return complete_many(schema, deployments.schemas(), with_api_key=api_keys.required)

    app.openapi = openapi  # type: ignore[method-assign]
    return app
