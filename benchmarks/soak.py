"""The service at half its capacity, with a promotion each minute, a log and outcomes: nothing may grow or fail.

python benchmarks/soak.py [MINUTES] [PROJECT]

MINUTES is by default 30. PROJECT keeps the adopted and trained project between runs. Two versions take the alias in
turn. Printed are requests, statuses, memory and open files of each minute. The exit code is 1 if a request fails, if a
promotion is not followed, or if memory or open files grow after the first fifth of the time.
"""
# ruff: noqa: T201

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import mlflow
from mlflow.tracking import MlflowClient
from sampler import Sample, Sampler
from serving import SERVE, running
from small_project import prepare, rows_of, run_main

CLIENTS = 8
WARM_UP = 0.2  # of the time, and at least two promotions: a version that is loaded for the first time takes memory
MAX_GROWTH = 1.05  # of the median memory of the last minutes, as a share of that after the warm-up
_CAPACITY_SECONDS = 10


class Answer(NamedTuple):
    """A response of the service."""

    status: int
    body: dict[str, Any]


class Client:
    """A connection that stays open."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, payload: dict[str, Any]) -> Answer:
        """Send a request and wait for the response."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._address.hostname, self._address.port)
        reader, writer = self._streams
        body = json.dumps(payload).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        received = await reader.readuntil(b"\r\n\r\n")
        length = int(received.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return Answer(int(received[9:12]), json.loads(await reader.readexactly(length)))

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()


class Soak:
    """Clients that send rows and outcomes, and what they got."""

    def __init__(self, url: str, rows: list[dict[str, Any]]) -> None:
        self._url, self._rows = url, rows
        self.statuses: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()
        self.pause = 0.0  # seconds between two requests of a client

    async def run(self, until: float) -> None:
        """Send requests until that time."""
        await asyncio.gather(*(self._work(number, until) for number in range(CLIENTS)))

    async def _work(self, number: int, until: float) -> None:
        client, sent, due = Client(self._url), number, time.perf_counter() + self.pause * number / CLIENTS
        while (now := time.perf_counter()) < until:
            if due > now:
                await asyncio.sleep(due - now)
            due = max(due, now - 1) + self.pause  # what is late is made up for
            answer = await client.post("/predict", {"records": [self._rows[sent % len(self._rows)]]})
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.versions[answer.body["version"]] += 1
                if sent % 10 == 0:
                    outcome = {"id": answer.body["predictions"][0]["id"], "outcome": 1}
                    self.statuses[(await client.post("/outcomes", {"outcomes": [outcome]})).status] += 1
            sent += CLIENTS
        client.close()


def promote(model: str, versions: Sequence[str], turn: int) -> str:
    """Give the alias to the version whose turn it is."""
    version = versions[turn % len(versions)]
    MlflowClient().set_registered_model_alias(model, "champion", version)
    return version


def find_versions(project: Path) -> tuple[str, list[str]]:
    """The name of the registered model, and its first two versions."""
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    (model,) = MlflowClient().search_registered_models()
    numbers = sorted((str(v.version) for v in MlflowClient().search_model_versions(f"name='{model.name}'")), key=int)
    return model.name, numbers[:2]


async def soak(url: str, project: Path, minutes: int, sampler: Sampler) -> list[str]:
    """Measure the capacity, then run at half of it; what went wrong."""
    model, versions = find_versions(project)
    clients = Soak(url, json.loads(rows_of(project).to_json(orient="records")))
    await clients.run(time.perf_counter() + _CAPACITY_SECONDS)
    capacity = clients.statuses.total() / _CAPACITY_SECONDS
    clients.pause = CLIENTS / (capacity / 2)
    print(f"capacity {capacity:.0f} requests a second; {minutes} minutes at half of it")
    sampler.samples.clear()
    faults, started, failed = [], time.perf_counter(), 0
    for minute in range(minutes):
        clients.statuses.clear()
        clients.versions.clear()
        promoted = await asyncio.to_thread(promote, model, versions, minute)
        await clients.run(started + 60 * (minute + 1))
        failed += clients.statuses.total() - clients.statuses[200]
        last = sampler.samples[-1]
        print(
            f"minute {minute + 1:3}: {dict(clients.statuses)}, versions {dict(clients.versions)},"
            f" {last.mebibytes:.0f} MiB, {last.files} files",
            flush=True,
        )
        if clients.versions[promoted] < clients.versions.total() / 2:
            faults.append(f"minute {minute + 1}: version {promoted} was promoted and not served")
    if failed:
        faults.append(f"{failed} requests failed")
    return faults + find_growth(sampler.samples, minutes)


def find_growth(samples: list[Sample], minutes: int) -> list[str]:
    """What grows: the median of the last part of the time is compared with that of a part after the warm-up."""
    part = max(60.0, 60 * minutes * WARM_UP)
    first = [sample for sample in samples if part <= sample.seconds - samples[0].seconds < 2 * part]
    last = [sample for sample in samples if samples[-1].seconds - sample.seconds < part]
    faults = []
    for name, unit, allowance in (("mebibytes", "MiB", MAX_GROWTH), ("files", "open files", 1.0)):
        before, after = (statistics.median(getattr(sample, name) for sample in part) for part in (first, last))
        print(f"{unit}: {before:.0f} after the warm-up, {after:.0f} at the end")
        if after > before * allowance:
            faults.append(f"{unit} grow from {before:.0f} to {after:.0f}")
    return faults


def main(minutes: int, project: Path) -> int:
    """Print the series; 1 if something grows or fails."""
    prepare(project, versions=2)
    with running(SERVE, project, "/ready") as (url, _), Sampler(interval=1) as sampler:
        faults = asyncio.run(soak(url, project, minutes, sampler))
    for fault in faults:
        print(f"FAULT {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    run_main(main, default=30)
