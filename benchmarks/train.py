"""Whole processes compared: `kedro run --pipeline=train` and a plain script that does the same work.

Run with `make bench`. Each has a folder and a store of its own. They run in turn, once to warm up and then
three times, and the ratio is taken pair by pair, so that a machine that slows down slows both.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
RAW = ROOT / "data" / "01_raw"
PAIRS = 3


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
    """A copy of the project that a run may write into."""
    for name in ("conf", "src"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for name in ("pyproject.toml", "requirements.lock", ".telemetry"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(RAW, folder / "data" / "01_raw")
    return folder


def main() -> None:
    """Print the cost of each and the ratios."""
    binaries = Path(sys.executable).parent
    with TemporaryDirectory() as kedro_folder, TemporaryDirectory() as plain_folder:
        kedro = [str(binaries / "kedro"), "run", "--pipeline=train"]
        plain = [sys.executable, str(ROOT / "benchmarks" / "plain_train.py"), str(RAW)]
        runs = ((kedro, copy_project(Path(kedro_folder))), (plain, Path(plain_folder)))
        pairs = [tuple(measure(*run) for run in runs) for _ in range(PAIRS + 1)][1:]
    print(f"{'':14}{'kedro run':>12}{'plain script':>14}{'ratio':>8}   (medians of {PAIRS} pairs)")
    for field, title, unit in (("seconds", "wall time", "s"), ("mebibytes", "peak memory", "MiB")):
        ours, theirs = ([getattr(cost, field) for cost in side] for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(f"{title:14}{mine:>8.1f} {unit:<3}{other:>10.1f} {unit:<3}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
