"""Servers as processes on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

_PATIENCE = 240  # seconds


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, probe: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server, from its first good response to the address `probe` to the end of the block; `log` has its output."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=os.environ | (env or {}), stdout=output, stderr=output, start_new_session=True
        )
    try:
        until = time.monotonic() + _PATIENCE
        while True:
            with suppress(requests.RequestException):
                if requests.get(probe, timeout=5).ok:
                    break
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the server's own processes, too
        process.wait()


@contextmanager
def serving(project: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`kedro serve` until the end of the block: the process, and its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [Path(sys.executable).with_name("kedro"), "serve", "--port", str(port), *options]
    environment = {"PYTHONPATH": str(project / "src")}
    with running(command, project / "serve.log", f"{url}/ready", project, environment) as process:
        yield process, url


def free_port() -> int:
    """A port that no server listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
