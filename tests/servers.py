"""A team's servers on loopback, as processes: storage that speaks S3, and an MLflow server with proxies before both."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest
import requests

from .processes import free_port
from .proxy import Proxy, proxy_of

BUCKET = "models"


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
def team_servers(folder: Path, store: bytes) -> Iterator[Team]:
    """Both servers until the end of the block; `store` is an empty one of MLflow. The environment names them."""
    storage_port, port = free_port(), free_port()
    (folder / "team.db").write_bytes(store)
    mlflow = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/team.db"]
    mlflow += ["--no-serve-artifacts", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    moto = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(storage_port)]
    with (
        _process(moto, folder / "moto.log", f"http://127.0.0.1:{storage_port}/"),
        _process(mlflow, folder / "mlflow.log", f"http://127.0.0.1:{port}/health"),
        proxy_of(f"http://127.0.0.1:{storage_port}") as (storage, storage_url),
        proxy_of(f"http://127.0.0.1:{port}") as (registry, url),
        pytest.MonkeyPatch.context() as patch,
    ):
        settings = {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}
        for name, value in settings.items():
            patch.setenv(f"AWS_{name}", value)
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", storage_url)
        boto3.client("s3", endpoint_url=storage_url).create_bucket(Bucket=BUCKET)
        yield Team(registry, storage, url, f"http://127.0.0.1:{port}")


@contextmanager
def _process(command: list[str], log: Path, url: str) -> Iterator[None]:
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # of language models
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, env=environment)
    try:
        until = time.monotonic() + 240
        while True:
            try:
                requests.get(url, timeout=5)
                break
            except requests.RequestException:
                assert process.poll() is None and time.monotonic() < until, log.read_text()
                time.sleep(0.2)
        yield
    finally:
        os.killpg(process.pid, 15)  # the server's own processes, too
        process.wait()
