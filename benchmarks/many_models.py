"""Many models: training against a plain script, the start with many models defined, the table of what is deployed.

python benchmarks/many_models.py 50 [FOLDER]
"""
# ruff: noqa: T201

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.tracking import MlflowClient
from run import ROOT, copy_project
from small_project import run_main
from tables import commit, run

ROWS, PAIRS = 5000, 3
_VERSIONS, _DEFINED = 20, 100
_COLUMNS = [{"name": f"column_{number}", "live": [0.1] * 10, "reference": [0.1] * 10} for number in range(20)]
_MONITORED = {
    "verdict": "ok",
    "window": {"since": "2025-01-01 00:00:00", "until": "2025-01-08 00:00:00"},
    "rows": {"20": 7000},
    "versions": {"20": {"rows": 7000, "columns": _COLUMNS}},
}


def sales(n_stores: int) -> pd.DataFrame:
    """Rows of stores that differ in how the target depends on the columns."""
    rng, n = np.random.default_rng(0), n_stores * ROWS
    table = pd.DataFrame(
        {
            "store": np.repeat([f"s{number:03d}" for number in range(n_stores)], ROWS),
            "size": rng.uniform(0, 100, n).round(3),
            "weight": rng.normal(size=n),
            "price": rng.gamma(2, 10, n).round(2),
            "colour": rng.choice(["red", "green", "blue"], n),
            "items": rng.integers(1, 9, n),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.tile(np.arange(ROWS), n_stores) * 30, unit="min"),
        }
    )
    slope = np.repeat(rng.uniform(0.5, 2, n_stores), ROWS)
    signal = table["size"] / 25 * slope + (table["colour"] == "red") + rng.normal(scale=0.5, size=n)
    return table.assign(sold=(signal > 2.3).astype("int64")).sort_values(["when", "store"], ignore_index=True)


def timed(folder: Path, *command: str | Path) -> float:
    """Seconds of a command, which has to succeed."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


def report(name: str, ours: list[float], theirs: list[float], extra: float = 0) -> None:
    """Print the medians and the median ratio of pairs."""
    ratio = statistics.median(a / (b + extra) for a, b in zip(ours, theirs, strict=True))
    print(f"{name:50}{statistics.median(ours):8.1f}{statistics.median(theirs):8.1f} s{ratio:8.2f}", flush=True)


def main(n_models: int, folder: Path) -> int:
    """Measure all three."""
    project, kedro = folder / "project", Path(sys.executable).with_name("kedro")
    project.mkdir(parents=True)
    copy_project(project)
    commit(project)
    os.environ["PYTHONPATH"] = str(project / "src")
    sales(n_models).to_csv(folder / "sales.csv", index=False)
    options = ["--target=sold", "--time=when", "--estimator=boosting", "--by=store"]
    run(["kedro", "adopt", str(folder / "sales.csv"), *options], project)
    commit(project)
    models = sorted(path.name for path in (project / "conf" / "models").iterdir() if path.name != "pooled")

    ours = timed(project, kedro, "models", "train", *models, "--jobs=2")
    script = ROOT / "benchmarks" / "plain_models.py"
    for name, requirements in (("a plain script", []), ("the same, requirements given", ["scikit-learn"])):
        plain = folder / f"plain{len(requirements)}"
        plain.mkdir()
        theirs = timed(folder, sys.executable, script, folder / "sales.csv", plain, *requirements)
        report(f"{n_models} models : {name}", [ours], [theirs])

    start = (kedro, "run", "--pipelines=data_prep", f"--params=model={models[0]}")
    many, one = [], []
    for _ in range(PAIRS):
        define(project, _DEFINED)
        many.append(timed(project, *start))
        for path in (project / "conf" / "models").iterdir():
            if path.name != models[0]:
                shutil.rmtree(path)
        one.append(timed(project, *start))
    report(f"a run with {_DEFINED} models defined : with one", many, one)

    define(project, _DEFINED)
    fill_registry(project)
    listed = [timed(project, kedro, "models") for _ in range(PAIRS)]
    version = [timed(project, kedro, "--version") for _ in range(PAIRS)]
    report(f"kedro models, {_DEFINED} x {_VERSIONS} : kedro --version + 1 s", listed, version, extra=1)
    return 0


def define(project: Path, count: int) -> None:
    """Let there be so many models."""
    for number in range(count):
        path = project / "conf" / "models" / f"s{number:03d}"
        path.mkdir(exist_ok=True)
        (path / "parameters.yml").write_text(f"table: {{where: {{store: s{number:03d}}}}}\n")


def fill_registry(project: Path) -> None:
    """Let each model have many versions, as copies of a few."""
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    client = MlflowClient()
    for number in range(_DEFINED):
        name = f"s{number:03d}"
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        for _ in range(_VERSIONS):
            run_id = client.create_run("0").info.run_id
            client.log_metric(run_id, "roc_auc", 0.7)
            version = client.create_model_version(name, str(project), run_id, tags={"gate": "passed"})
        client.set_registered_model_alias(name, "champion", version.version)
        folder = project / "data" / "08_reporting" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "monitoring.json").write_text(json.dumps(_MONITORED), encoding="utf-8")


if __name__ == "__main__":
    run_main(main, 50)
