"""Many models in one service: each is loaded when a request first needs it, and makes room when it is not needed."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from anyio import CapacityLimiter, to_thread

from .deployment import Deployment
from .endpoints import ModelEndpoints
from .errors import RequestError
from .following import RegistryFollower
from .loaded_version import LoadedVersion, RowSchema
from .local_cache import DeploymentError
from .lookup import AliasTable
from .memory import memory_mb, release_memory
from .prefetching import Prefetcher
from .settings import ManySettings

logger = logging.getLogger(__name__)

NOT_LOADABLE = "can't be loaded: see the log of the service"
_MAX_ERRORS = 3  # that are told when no model can be served
_REFRESHES_BEFORE_RETRY = 12  # of a model that can't be loaded: the cause may have been temporary


@dataclass
class ServedModel:
    """One model of the service."""

    deployment: Deployment
    endpoints: ModelEndpoints | None = None  # while it is loaded
    users: int = 0  # requests that need it now
    error: str | None = None  # why it could not be loaded
    failed_version: str | None = None  # that which could not
    refreshes_before_retry: int = 0
    loading: asyncio.Future[ModelEndpoints] | None = field(default=None, repr=False)


class Deployments(RegistryFollower):
    """The models of a project, of which one query to the registry finds all versions to serve.

    The event loop loads models and makes room; the thread that polls replaces the versions of those that are loaded.
    """

    def __init__(self, settings: ManySettings) -> None:
        super().__init__()
        self.settings, self._alias = settings, settings.shared.model
        self._table = AliasTable(list(settings.models), self._alias)
        self.models = {name: ServedModel(self._make_deployment(name)) for name in settings.models}
        self._loaded: OrderedDict[str, ServedModel] = OrderedDict()  # the least recently used first
        self._loader = CapacityLimiter(1)
        self._prefetcher = Prefetcher(self._get_unloaded, self._stopped.is_set)

    def _make_deployment(self, name: str) -> Deployment:
        return Deployment(name, self._alias, Path(self.settings.shared.local_copy), lambda: self._table.find(name))

    def _get_unloaded(self, name: str) -> Deployment | None:
        model = self.models[name]
        return model.deployment if model.endpoints is None else None

    @property
    def loaded(self) -> list[Deployment]:
        """The deployments that are loaded."""
        return [model.deployment for model in list(self._loaded.values())]

    def version(self, name: str) -> str | None:
        """The number of the version of a model that is served, or would be; None if there is none."""
        model = self.models[name]
        if model.endpoints is not None:
            return model.deployment.current.identity.version
        return (self._table.numbers or {}).get(name)

    @property
    def _no_version(self) -> str:
        return f"no version has the alias {self._alias}"

    def unavailable(self) -> dict[str, str]:
        """Why models are not available, of those that are not."""
        found = {name: model.error for name, model in self.models.items() if model.error is not None}
        if self._table.numbers is not None:
            without = [name for name in self.models if name not in self._loaded and self.version(name) is None]
            found |= dict.fromkeys(without, self._no_version)
        return found

    def schemas(self) -> dict[str, LoadedVersion | RowSchema | None]:
        """What each model takes and returns; None if its files are not there yet."""
        fetched = self._prefetcher.schemas
        return {name: m.deployment.current if m.endpoints else fetched.get(name) for name, m in self.models.items()}

    def start(self) -> None:
        """Ask the registry, and load the default model, or else any: a service without a model is of no use.

        Raises:
            DeploymentError: no model can be served.
        """
        self.refresh()
        errors = []
        for name in sorted(self.models, key=lambda name: name != self.settings.default):
            try:
                self.models[name].deployment.start()
            except DeploymentError as error:
                errors.append(f"- {name}: {error}")
            else:
                self._started = name
                return
        more = [f"and {len(errors) - _MAX_ERRORS} more"] if len(errors) > _MAX_ERRORS else []
        raise DeploymentError("\n".join(["no model can be served:", *errors[:_MAX_ERRORS], *more]))

    def attach(self, make_endpoints: Callable[[Deployment], ModelEndpoints]) -> None:
        """Let the application make the endpoints of each model that is loaded, so far of one."""
        self._make_endpoints = make_endpoints
        self._add(self._started, self.models[self._started])

    def fetch(self) -> list[str]:
        """Store the versions of all models in the local cache; return the names of those that have one."""
        names = list(self._table.numbers or {})
        for name in names:
            self.models[name].deployment.prefetch()
        return names

    def _refresh(self) -> None:
        try:
            self._table.refresh()
        except Exception as error:  # whatever an unreachable registry raises
            self._record_registry_error(error)
            return
        self._record_success()
        for name, model in self.models.items():
            model.refreshes_before_retry -= 1
            if model.endpoints is not None:
                try:
                    model.deployment.refresh()
                except Exception:  # of one model; the others go on
                    logger.exception("%s can't be refreshed; it is tried again", name)
        self._prefetcher.start_round(self._table.numbers or {})

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[ModelEndpoints]:
        """The endpoints of a model, which stays loaded until the end of the block.

        Raises:
            RequestError: it is unknown, or can't be loaded.
        """
        model = self.models.get(name)
        if model is None:
            raise RequestError(404, "unknown_model", "there is no model of this name; see GET /models", "name")
        model.users += 1
        try:
            if model.endpoints is None:
                yield await self._load_once(name, model)
            else:
                self._loaded.move_to_end(name)
                yield model.endpoints
        finally:
            model.users -= 1

    async def _load_once(self, name: str, model: ServedModel) -> ModelEndpoints:
        is_known = model.error is not None and model.failed_version == self.version(name)
        if is_known and model.refreshes_before_retry > 0:
            raise _unavailable(name)
        if model.loading is None:
            model.loading = asyncio.ensure_future(self._load(name, model))
            # asyncio complains of an error that nobody awaits, as when all clients are gone
            model.loading.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(model.loading)

    async def _load(self, name: str, model: ServedModel) -> ModelEndpoints:
        try:
            await to_thread.run_sync(model.deployment.start, limiter=self._loader)
        except Exception as error:  # DeploymentError, or of any library that loading needs
            model.failed_version, model.refreshes_before_retry = self.version(name), _REFRESHES_BEFORE_RETRY
            model.error = NOT_LOADABLE if model.failed_version else self._no_version
            logger.error("%s can't be served: %s", name, error)
            raise _unavailable(name) from error
        finally:
            model.loading = None
        model.error = None
        endpoints = self._add(name, model)
        await self._make_room(name)
        return endpoints

    def _add(self, name: str, model: ServedModel) -> ModelEndpoints:
        endpoints = model.endpoints = self._make_endpoints(model.deployment)
        self._loaded[name] = model
        return endpoints

    async def _make_room(self, needed: str) -> None:
        """Unload models that no request uses, the least recently used first, down to the limits."""
        limits = self.settings.shared.loaded
        while len(self._loaded) > limits.models or (len(self._loaded) > 1 and memory_mb() > limits.memory_mb):
            idle = [name for name, model in self._loaded.items() if model.users == 0 and name != needed]
            if not idle:
                return
            model = self._loaded.pop(idle[0])
            endpoints, model.endpoints = model.endpoints, None
            model.deployment = self._make_deployment(idle[0])
            if endpoints is not None:
                endpoints.batcher.close()
            logger.info("%s is unloaded", idle[0])
            del endpoints
            await to_thread.run_sync(release_memory)

    def close_batchers(self) -> None:
        """Predict the requests that wait."""
        for model in list(self._loaded.values()):
            if model.endpoints is not None:
                model.endpoints.batcher.close()


def _unavailable(name: str) -> RequestError:
    return RequestError(503, "model_unavailable", f"the model {name} is not available; see GET /ready", "model")
