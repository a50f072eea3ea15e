"""One service for many models beside a service with one: a row over HTTP, memory, and MLflow's own server.

python benchmarks/many_serving.py FOLDER    # of a project that many_models.py has trained
"""
# ruff: noqa: T201

import json
import os
import statistics
import sys
import urllib.request
from pathlib import Path

import pandas as pd
import psutil
from load import measure_load
from serving import running

PAIRS, SECONDS, REQUESTS, COMPARED = 5, 5, 500, 3
MODEL_VARIABLE = "KEDRO_MODEL"


def post(url: str, body: bytes) -> bytes:
    """The body of a response."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return bytes(response.read())


def read_row(project: Path, model: str) -> dict[str, object]:
    """A row that the model has not seen."""
    row = pd.read_parquet(project / f"data/03_primary/{model}/test.parquet").drop(columns="sold").iloc[[5]]
    return dict(json.loads(row.to_json(orient="records", date_format="iso", date_unit="s"))[0])


def memory_mb(url: str) -> float:
    """The resident memory of the process that listens there."""
    port = int(url.rpartition(":")[2])
    listening = next(
        one for one in psutil.net_connections("tcp") if one.status == "LISTEN" and one.laddr and one.laddr.port == port
    )
    return psutil.Process(listening.pid).memory_info().rss / 1e6


def main(project: Path) -> None:
    """Measure in pairs, in turn."""
    binaries = Path(sys.executable).parent
    os.environ["PYTHONPATH"] = str(project / "src")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{project}/mlflow.db"
    serve = [str(binaries / "kedro"), "serve"]
    with running(serve, project, "/ready") as (many, start):
        names = [one["name"] for one in json.loads(urllib.request.urlopen(f"{many}/models").read())["models"]]
        names = [name for name in names if name != "pooled"]
        rows = {name: read_row(project, name) for name in names}
        for name in names:
            post(f"{many}/models/{name}/predict", json.dumps({"records": [rows[name]]}).encode())
        print(f"{len(names)} models: ready after {start:.1f} s; all loaded: {memory_mb(many):,.0f} MB", flush=True)
        compare_latency(serve, project, many, rows)
        for name in names[:COMPARED]:
            compare_with_mlflow(binaries, project, many, name, rows[name])


def compare_latency(serve: list[str], project: Path, many: str, rows: dict[str, dict[str, object]]) -> None:
    """One row by the name of its model and by its segment, and the same of a service with one model."""
    name = next(iter(rows))
    body = json.dumps({"records": [rows[name]]}).encode()
    os.environ[MODEL_VARIABLE] = name
    with running(serve, project, "/ready") as (one, _):
        del os.environ[MODEL_VARIABLE]
        addresses = (f"{one}/predict", f"{many}/models/{name}/predict", f"{many}/predict")
        medians: list[list[float]] = [[] for _ in addresses]
        for _ in range(PAIRS):
            for address, found in zip(addresses, medians, strict=True):
                measure_load(address, body, 1, 1, 50)  # to warm up
                seconds, _ = measure_load(address, body, 1, SECONDS, REQUESTS)
                found.append(statistics.median(seconds) * 1000)
        for title, found in (("by its name", medians[1]), ("by its segment", medians[2])):
            ratio = statistics.median(a / b for a, b in zip(found, medians[0], strict=True))
            print(f"p50 of a row {title}: {statistics.median(found):.2f} ms : {statistics.median(medians[0]):.2f} ms")
            print(f"    with one model, ratio {ratio:.2f}", flush=True)


def compare_with_mlflow(binaries: Path, project: Path, many: str, name: str, row: dict[str, object]) -> None:
    """Whether MLflow's own server answers with the same bits."""
    command = [str(binaries / "mlflow"), "models", "serve", "--env-manager", "local"]
    body = json.dumps({"dataframe_records": [row]}).encode()
    with running([*command, "--model-uri", f"models:/{name}@champion"], project, "/ping") as (url, _):
        theirs = json.loads(post(f"{url}/invocations", body))
    ours = json.loads(post(f"{many}/models/{name}/invocations", body))
    print(f"{name}: the response is {'that' if ours == theirs else 'NOT that'} of mlflow models serve", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() / "project")
