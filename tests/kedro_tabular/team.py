"""A team's servers on loopback, as processes: storage that speaks S3 and an MLflow server, with proxies before both."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from ..processes import free_port, running
from ..storage import s3_server
from .proxy import Proxy, proxy_of


class Team(NamedTuple):
    """The proxies before the registry and the storage, and the address of the registry with and without its proxy."""

    registry: Proxy
    storage: Proxy
    url: str
    direct_url: str

    def recover(self) -> None:
        """Let all calls through at once."""
        self.registry.behave()
        self.storage.behave()


@contextmanager
def mlflow_server(log: Path, store: str, *options: str) -> Iterator[str]:
    """The address of an MLflow server with this store, until the end of the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    command += ["--host", "127.0.0.1", "--port", str(port), *options]
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # of language models
    with running(command, log, f"{url}/health", env=environment):
        yield url


@contextmanager
def team_servers(folder: Path, store: bytes) -> Iterator[Team]:
    """Both servers until the end of the block; `store` is an empty one of MLflow. The environment names them."""
    (folder / "team.db").write_bytes(store)
    options = ("--no-serve-artifacts", "--workers", "1")
    with (
        s3_server(folder) as direct_storage,
        mlflow_server(folder / "mlflow.log", f"sqlite:///{folder}/team.db", *options) as direct_url,
        proxy_of(direct_storage) as (storage, storage_url),
        proxy_of(direct_url) as (registry, url),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", storage_url)
        yield Team(registry, storage, url, direct_url)
