"""Adopt many tables, and run everything on each: python benchmarks/tables.py FOLDER

FOLDER has the files and a tables.yml, a list such as

    - {file: churn.csv, target: churned, time: signed_up}   # also task, id, drop, as the options of kedro adopt

Each table is adopted, trained twice (kedro run and dvc repro), scored, served, replayed and monitored, in a copy of
this project. Printed are the metrics beside the best of three stock models on the same rows, and what went wrong. An
error in plain words is a refusal; a traceback is a fault, and the exit code is then 1.
"""
# ruff: noqa: T201

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml
from run import copy_project
from serving import SERVE, running
from stock_models import Reference, best_stock_model

_STAGES = {
    "train": ["kedro", "run", "--pipelines=train"],
    "repro": ["dvc", "repro"],
    "inference": ["kedro", "run", "--pipelines=inference"],
}
_TIMEOUT = 1800


class Outcome(NamedTuple):
    """How far a table came."""

    table: str
    stage: str  # the last one: `done`, or the one that failed
    message: str
    is_fault: bool
    refused: str  # why the gate refused the version
    reference: Reference | None
    seconds: float


class StageError(RuntimeError):
    """A command that failed, with its output."""


def run_table(entry: dict[str, Any], folder: Path, project: Path) -> Outcome:
    """All stages on one table, in a copy of the project below `project`."""
    started, stage = time.perf_counter(), "copy"
    try:
        for stage in _run_stages(entry, folder, project):  # noqa: B007
            pass
    except (StageError, subprocess.TimeoutExpired, RuntimeError) as error:
        output = str(error)
        is_fault = "Traceback (most recent call last)" in output or stage == "serve"
        message = output if is_fault else output.strip().splitlines()[-1] if output.strip() else "no output"
    else:
        stage, message, is_fault = "done", "", False
    gate = project / "data" / "08_reporting" / "gate.json"
    refused = ""
    if gate.exists():
        rules = json.loads(gate.read_text(encoding="utf-8"))["rules"]
        refused = "; ".join(rule["why"] for rule in rules if not rule["passed"])
    reference = best_stock_model(project) if gate.exists() else None
    return Outcome(entry["file"], stage, message, is_fault, refused, reference, time.perf_counter() - started)


def _run_stages(entry: dict[str, Any], folder: Path, project: Path) -> Iterator[str]:
    copy_project(project)
    commit(project)
    yield "adopt"
    options = [f"--{key}={value}" for key, value in entry.items() if key not in ("file", "id", "drop")]
    for key in ("id", "drop"):
        names = entry.get(key, [])
        options += [f"--{key}={name}" for name in ([names] if isinstance(names, str) else names)]
    run(["kedro", "adopt", str(folder / entry["file"]), *options], project)
    commit(project)
    for stage, command in _STAGES.items():
        yield stage
        run(command, project)
    yield "serve"
    with running(SERVE, project, "/ready") as (url, _):
        yield "replay"
        run(["kedro", "replay", "--url", url, "--outcomes-after", "0s"], project)
    yield "monitoring"
    run(["kedro", "run", "--pipelines=monitoring", "--params=window=36500d"], project)


def run(command: list[str], project: Path) -> None:
    """Run a command of the environment. Raises StageError with its output if it fails."""
    binaries = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(project / "src"),
    }
    completed = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    if completed.returncode:
        raise StageError(completed.stdout[-3000:] + completed.stderr[-6000:])


def commit(project: Path) -> None:
    """Commit all files."""
    who = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
    subprocess.run(["git", "add", "--all"], cwd=project, check=True)
    subprocess.run(["git", *who, "commit", "--quiet", "--message", "State"], cwd=project, check=True)


def main(folder: Path) -> int:
    """Run all tables, print a line for each, and the faults at the end."""
    entries = yaml.safe_load((folder / "tables.yml").read_text(encoding="utf-8"))
    outcomes = []
    print(f"{'table':24} {'stage':10} {'seconds':>7}  {'metric':17} {'ours':>8} {'stock':>8} {'of left':>8}  estimator")
    for entry in entries:
        with TemporaryDirectory() as temporary:
            outcome = run_table(entry, folder, Path(temporary))
        outcomes.append(outcome)
        print(f"{outcome.table:24} {outcome.stage:10} {outcome.seconds:7.0f}  {describe(outcome)}", flush=True)
    faults = [outcome for outcome in outcomes if outcome.is_fault]
    for outcome in faults:
        print(f"\n{outcome.table}, {outcome.stage}:\n{outcome.message}")
    print(json.dumps({"tables": len(outcomes), "faults": len(faults)}))
    return 1 if faults else 0


def describe(outcome: Outcome) -> str:
    """The metric beside the best stock model's, or the message."""
    texts = [outcome.message.splitlines()[-1] if outcome.message else "", outcome.refused]
    if outcome.reference is not None:
        metric, ours, stock, difference, estimator = outcome.reference
        texts.insert(0, f"{metric:17} {ours:8.4f} {stock:8.4f} {difference:+8.1%}  {estimator}")
    return "; ".join(text for text in texts if text)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
