"""Storage that speaks S3: a real server on loopback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from .processes import free_port, running

BUCKET = "models"


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """The address of a server with the bucket, until the end of the block. The environment has the credentials."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    settings = {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}
    with running(command, folder / "moto.log", f"{url}/"), pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(f"AWS_{name}", value)
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", url)
        boto3.client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)
        yield url
