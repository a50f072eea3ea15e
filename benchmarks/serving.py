"""The service beside `mlflow models serve`: same model, same machine, in turn. Run with `make bench`."""
# ruff: noqa: T201

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pandas as pd
from load import measure_load
from run import ROOT, copy_project, measure

PAIRS = 3
MODEL = "models:/flight_delay@champion"
SERVE = [str(Path(sys.executable).with_name("kedro")), "serve"]


@contextmanager
def running(command: list[str], folder: Path, probe: str) -> Iterator[tuple[str, float]]:
    """A server until the end of the block: its address, and the seconds from its start until it was ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}", folder / "server.log"
    with log.open("w") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
    try:
        while True:
            try:
                urllib.request.urlopen(url + probe, timeout=5).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"{' '.join(command)} ended:\n{log.read_text()}") from None
                time.sleep(0.02)
        yield url, time.perf_counter() - started
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


class Kind(NamedTuple):
    """What is measured, and in which unit."""

    name: str
    title: str
    unit: str


def compare_rows(project: Path) -> tuple[float, float]:
    """Milliseconds for one row in process, ours and those of the stock pipeline."""
    script = [sys.executable, str(ROOT / "benchmarks" / "one_row.py"), str(project)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # as the service runs
    printed = subprocess.run(script, env=one_thread, check=True, capture_output=True, text=True)
    ours, theirs = json.loads(printed.stdout.splitlines()[-1])
    return ours, theirs


def compare_servers(kedro: str, mlflow: str, project: Path) -> Iterator[tuple[Kind, tuple[float, float]]]:
    """Start both and let clients ask them in turn: what is measured, ours and theirs."""
    row = pd.read_parquet(project / "data/03_primary/test.parquet").drop(columns="late").iloc[[5]]
    records = json.loads(row.to_json(orient="records", date_format="iso", date_unit="s"))
    bodies = {
        "/predict": json.dumps({"records": records}).encode(),
        "/invocations": json.dumps({"dataframe_records": records}).encode(),
    }
    theirs = [mlflow, "models", "serve", "--env-manager", "local", "--model-uri", MODEL]
    with (
        running([kedro, "serve"], project, "/ready") as (our_url, our_start),
        running(theirs, project, "/ping") as (their_url, their_start),
    ):
        yield Kind("start until ready : mlflow models serve", "wall time", "s"), (our_start, their_start)
        for clients in (1, 32):
            took = []
            for url, path in ((our_url, "/predict"), (their_url, "/invocations")):
                measure_load(url + path, bodies[path], clients, 2, 50)  # to warm up
                took.append(measure_load(url + path, bodies[path], clients, 15, 1000))
            times = [sorted(seconds) for seconds, _ in took]
            name = f"one row over HTTP, {clients} at once : the same"
            for title, share in (("p50", 0.5), ("p99", 0.99)):
                first, second = (side[int(share * (len(side) - 1))] * 1000 for side in times)
                yield Kind(name, title, "ms"), (first, second)
            first, second = (len(seconds) / total for seconds, total in took)
            yield Kind(name, "requests", "/s"), (first, second)


def main() -> None:
    """Print each comparison as a row."""
    binaries = Path(sys.executable).parent
    os.environ["PATH"] = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    kedro, mlflow = str(binaries / "kedro"), str(binaries / "mlflow")
    found: dict[Kind, list[tuple[float, float]]] = {}
    with TemporaryDirectory() as temporary:
        project = copy_project(Path(temporary))
        os.environ["PYTHONPATH"] = str(project / "src")
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{project}/mlflow.db"
        measure([kedro, "run", "--pipeline=train"], project)
        for _ in range(PAIRS):
            row = Kind("one row in process : stock pipeline", "median", "ms")
            found.setdefault(row, []).append(compare_rows(project))
            for kind, pair in compare_servers(kedro, mlflow, project):
                found.setdefault(kind, []).append(pair)
    print(f"{f'medians of {PAIRS} pairs':60}{'first':>8} {'second':>8}{'ratio':>11}")
    for kind, pairs in found.items():
        ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{kind.name:46}{kind.title:14}{ours:>8.1f} {theirs:>8.1f} {kind.unit:<4}{ratio:>7.2f}")


if __name__ == "__main__":
    main()
