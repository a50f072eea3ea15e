"""`kedro ui`: MLflow's pages of the project's runs and models, in the browser."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from contextlib import suppress
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from ..errors import reports_user_errors
from ..outages import without_password
from .conf import connect_mlflow

_HOST = "127.0.0.1"
_PATIENCE = 120  # seconds


@click.command()
@click.option("--port", type=int, help="Port to listen on; by default a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.pass_obj
@reports_user_errors
def ui(metadata: ProjectMetadata, port: int | None, no_browser: bool) -> None:
    """Show the runs and models of the store in conf/, until Ctrl+C."""
    conf = connect_mlflow(metadata)
    uri, page = conf["mlflow"]["server"]["mlflow_tracking_uri"], _runs_page(conf["mlflow"])
    if uri.startswith("http"):
        _show(f"{without_password(uri).rstrip('/')}/{page}", no_browser)
        return
    port = port or _free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--workers", "1"]
    command += ["--host", _HOST, "--port", str(port)]
    # without the jobs of language models, which are another two processes
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    for sent in (signal.SIGINT, signal.SIGTERM):  # a shell lets what it runs in the background ignore the first
        signal.signal(sent, signal.default_int_handler)
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        _wait(server, f"http://{_HOST}:{port}")
        _show(f"http://{_HOST}:{port}/{page}", no_browser)
        click.echo("Ctrl+C ends it.")
        server.communicate()
    except KeyboardInterrupt:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)  # its worker, too
        server.wait()


def _runs_page(settings: dict[str, Any]) -> str:
    """The page of the experiment's runs, whose link on MLflow's own pages leads to those of language models."""
    from mlflow.tracking import MlflowClient

    experiment = MlflowClient().get_experiment_by_name(settings["tracking"]["experiment"]["name"])
    return f"#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning" if experiment else ""


def _wait(server: subprocess.Popen[bytes], address: str) -> None:
    """Wait until the server responds. Raises ClickException if it ends, or takes too long."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if server.poll() is not None:
            output = server.stdout.read().decode(errors="replace") if server.stdout else ""
            raise click.ClickException(f"MLflow's server ended: {' '.join(output.splitlines()[-1:])}")
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise click.ClickException(f"MLflow's server does not respond within {_PATIENCE} seconds")


def _show(address: str, no_browser: bool) -> None:
    click.echo(address)
    if not no_browser:
        webbrowser.open(address)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_HOST, 0))
        return int(free.getsockname()[1])
