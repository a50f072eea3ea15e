"""Whole processes compared, two by two. Run with `make bench`.

Each has a folder and a store of its own. They run in turn, once to warm up and then three times, and the
ratio is taken pair by pair, so that a machine that slows down slows both.
"""
# ruff: noqa: T201

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).parents[1]
RAW = ROOT / "data" / "01_raw"
PAIRS = 3
REPEATED, INFERENCE_ROWS = "data/repeated.parquet", 3_000_000


class Cost(NamedTuple):
    """What one process took: seconds of wall time, and MiB of memory at its peak."""

    seconds: float
    mebibytes: float


def measure(command: list[str], folder: Path) -> Cost:
    """Run a command to its end. Raises RuntimeError with its output if it fails."""
    log = folder / "benchmark.log"
    with log.open("w") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{log.read_text()}")
    return Cost(seconds, usage.ru_maxrss / 1024)


def copy_project(folder: Path) -> Path:
    """A repository with the project as it is in the working tree, for a run to write into."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    shutil.copytree(RAW, folder / "data" / "01_raw", dirs_exist_ok=True)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def compare(name: str, first: tuple[list[str], Path], second: tuple[list[str], Path]) -> None:
    """Print the cost of two commands, each in its folder, and their ratio."""
    pairs = [(measure(*first), measure(*second)) for _ in range(PAIRS + 1)][1:]
    for field, title, unit in (("seconds", "wall time", "s"), ("mebibytes", "peak memory", "MiB")):
        ours, theirs = ([getattr(cost, field) for cost in side] for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(f"{name:46}{title:14}{mine:>8.1f} {other:>8.1f} {unit:<3}{ratio:>8.2f}", flush=True)


def repeat_sample(project: Path) -> None:
    """Let inference take a table of millions of rows: the sample, again and again."""
    table = pq.read_table(project / "data" / "02_intermediate" / "table.parquet")
    with pq.ParquetWriter(project / REPEATED, table.schema) as writer:
        for first in range(0, INFERENCE_ROWS, table.num_rows):
            writer.write_table(table.slice(0, min(table.num_rows, INFERENCE_ROWS - first)))
    entry = yaml.safe_load((project / "conf" / "base" / "catalog.yml").read_text())["inference_table"]
    local = project / "conf" / "local" / "catalog.yml"
    local.write_text(yaml.safe_dump({"inference_table": entry | {"filepath": REPEATED}}))


def main() -> None:
    """Print each comparison as a row of wall time and a row of memory (of the largest process)."""
    binaries = Path(sys.executable).parent
    os.environ["PATH"] = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    kedro, dvc = str(binaries / "kedro"), str(binaries / "dvc")
    print(f"{f'medians of {PAIRS} pairs':60}{'first':>8} {'second':>8}{'ratio':>11}")
    with TemporaryDirectory() as project_folder, TemporaryDirectory() as plain_folder:
        project, plain = copy_project(Path(project_folder)), Path(plain_folder)
        os.environ["PYTHONPATH"] = str(project / "src")
        train = ([kedro, "run", "--pipeline=train"], project)
        script = [sys.executable, str(ROOT / "benchmarks" / "plain_train.py"), str(RAW)]
        compare("kedro run --pipeline=train : plain script", train, (script, plain))
        repeat_sample(project)
        infer = ([kedro, "run", "--pipeline=inference"], project)
        score = [sys.executable, str(ROOT / "benchmarks" / "plain_score.py"), str(project), str(project / REPEATED)]
        compare("kedro run --pipeline=inference : scikit-learn", infer, (score, project))
        measure([dvc, "repro"], project)
        compare("dvc repro, nothing to do : dvc status", ([dvc, "repro"], project), ([dvc, "status"], project))
        compare("dvc repro --force : kedro run", ([dvc, "repro", "--force"], project), train)


if __name__ == "__main__":
    main()
