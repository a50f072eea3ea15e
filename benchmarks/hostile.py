"""Hostile requests to the service, over all endpoints and content types.

python benchmarks/hostile.py [N] [PROJECT]

N is the number of requests, by default 100,000. PROJECT keeps the adopted and trained project between runs. Printed are
the statuses by endpoint, the rows that were answered and logged, and the memory of the service. The exit code is 1 if a
status is 500 or above and not 503, an error is not in its documented form, a row is lost, or logged and not answered,
or the memory exceeds 1.5 GiB.
"""
# ruff: noqa: T201

import asyncio
import json
import sqlite3
import time
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

from hostile_client import attack
from hostile_requests import HostileRequests
from sampler import Sampler
from serving import SERVE, running
from small_project import prepare, rows_of, run_main

MAX_MEBIBYTES = 1536
CROWD = 40  # slow uploads at the same time, and as many clients that do not read
_SHOWN = 20  # breaches


def read_log(project: Path) -> list[tuple[str, str | None]]:
    """The id of each logged row, and that of its request."""
    with closing(sqlite3.connect(project / "data/07_model_output/prediction_log.db")) as connection:
        return connection.execute("SELECT id, request_id FROM predictions").fetchall()


def print_statuses(counts: Counter[tuple[str, int]]) -> None:
    """A line for each path or kind with its statuses; 0 stands for no response."""
    lines: dict[str, dict[int, int]] = defaultdict(dict)
    for (name, status), number in sorted(counts.items()):
        lines[name][status] = number
    for name, statuses in lines.items():
        print(f"  {name:16} " + "  ".join(f"{status}: {number:,}" for status, number in statuses.items()))


def main(n_requests: int, project: Path) -> int:
    """Print the figures; 1 if there is a breach."""
    prepare(project, versions=1)
    rows = json.loads(rows_of(project).to_json(orient="records"))
    before = len(read_log(project)) if (project / "data/07_model_output/prediction_log.db").exists() else 0
    with running(SERVE, project, "/ready") as (url, _), Sampler() as sampler:
        started = time.perf_counter()
        requests = HostileRequests(rows)
        results = asyncio.run(attack(url, requests.make(n_requests)))
        seconds = time.perf_counter() - started
        crowd = requests.crowd(CROWD)
        results.merge(asyncio.run(attack(url, crowd, clients=len(crowd))))
    figures = results.compare(read_log(project)[before:])
    pace = f"{n_requests / seconds:.0f} a second, the slowest response after {results.slowest:.1f} s"
    print(f"{n_requests:,} requests in {seconds:.0f} s, {pace}")
    print_statuses(results.statuses)
    print_statuses(results.kinds)
    print(f"rows {figures}")
    print(f"memory {sampler.peak_mebibytes:.0f} MiB at most, {sampler.peak_files} files")
    if sampler.peak_mebibytes > MAX_MEBIBYTES:
        results.breaches.append(f"more memory than {MAX_MEBIBYTES} MiB")
    for breach in results.breaches[:_SHOWN]:
        print(f"BREACH {breach}")
    print(f"{len(results.breaches)} breaches")
    return 1 if results.breaches else 0


if __name__ == "__main__":
    run_main(main, default=100_000)
