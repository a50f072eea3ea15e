"""`kedro serve` as a process."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests


@contextmanager
def serving(project: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`kedro serve` until the end of the block: the process, and its address."""
    port = free_port()
    command = [Path(sys.executable).with_name("kedro"), "serve", "--port", str(port), *options]
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    log = project / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=project, env=environment, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 120
        while True:
            try:
                assert requests.get(f"{url}/ready", timeout=5).status_code == 200
                break
            except requests.ConnectionError:
                assert process.poll() is None and time.monotonic() < until, log.read_text()
                time.sleep(0.1)
        yield process, url
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port that no server listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
