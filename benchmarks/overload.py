"""The service under five times the load that it can carry, with small rows and with rows of 200 ms.

python benchmarks/overload.py [PROJECT]

PROJECT keeps the adopted and trained project between runs. The server has one core, the clients have another one. First
clients without pauses find the capacity; then requests arrive at five times its rate, whatever becomes of them; then at
half of it. Printed are ratios, so that a slow machine does not matter.
"""
# ruff: noqa: T201

import asyncio
import os
import statistics
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import uvloop
import yaml
from serving import SERVE, running
from small_project import adopt_small_table, rows_of, train, use_library
from tables import commit

ROUNDS = 3
FACTOR = 5  # times the capacity
MAX_CONNECTIONS = 500
SECONDS_PER_ROW = "SECONDS_PER_ROW"  # environment variable of the estimator below
ESTIMATOR = f'''"""An estimator that takes its time for each row."""

import os
import time
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression


class SlowRegression(LogisticRegression):
    """A logistic regression that takes {SECONDS_PER_ROW} for each row."""

    def predict_proba(self, X: Any) -> np.ndarray:
        time.sleep(float(os.environ.get("{SECONDS_PER_ROW}", "0")) * len(X))
        return super().predict_proba(X)
'''


class Case(NamedTuple):
    """Rows of one kind: what one takes, the clients that find the capacity, and how long each step is in seconds."""

    name: str
    seconds_per_row: float
    clients: int
    duration: float


CASES = [Case("small rows", 0, 32, 5), Case("rows of 200 ms", 0.2, 4, 20)]


@dataclass
class Responses:
    """Those of one step: the time of arrival, the status and the seconds of each; and requests that were not sent."""

    arrived: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    unsent: list[float] = field(default_factory=list)  # their times

    def add(self, arrived: float, status: int) -> None:
        """Add a response that is complete now."""
        self.arrived.append(arrived)
        self.statuses.append(status)
        self.seconds.append(time.perf_counter() - arrived)

    def of(self, status: int) -> np.ndarray:
        """The seconds of the responses with this status."""
        return np.array(self.seconds)[np.array(self.statuses) == status]


class Connection(asyncio.Protocol):
    """A connection to the server, which sends a request when it is told to, one at a time."""

    def __init__(self, pool: "Pool") -> None:
        self._pool, self._received, self._arrived = pool, b"", 0.0
        self.task: asyncio.Future[Any]

    def connection_made(self, transport: Any) -> None:
        """Send the first request."""
        self.transport = transport
        transport.write(self._pool.request)

    def send(self, arrived: float) -> None:
        """Send a request, at once or when the connection is made."""
        self._arrived, self._received = arrived, b""
        if hasattr(self, "transport"):
            self.transport.write(self._pool.request)

    def data_received(self, data: bytes) -> None:
        """Record the response when all of it is there."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if found:
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            if len(body) >= int(length):
                self._pool.finish(self, self._arrived, int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        """Leave the pool: the server closes connections that are not used."""
        self._pool.lose(self, self._arrived)


class Pool:
    """Connections to a server; a request takes a free one, or a new one."""

    def __init__(self, url: str, body: bytes) -> None:
        address = urlsplit(url)
        self._address = str(address.hostname), int(address.port or 80)
        head = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json"
        self.request = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        self.responses = Responses()
        self.free: deque[Connection] = deque()
        self.connections: set[Connection] = set()
        self.again = False  # whether a client asks again when it is answered

    def send(self, arrived: float) -> None:
        """Send a request."""
        if self.free:
            self.free.pop().send(arrived)
        elif len(self.connections) < MAX_CONNECTIONS:
            connection = Connection(self)
            connection.send(arrived)
            self.connections.add(connection)
            connecting = asyncio.get_running_loop().create_connection(lambda: connection, *self._address)
            connection.task = asyncio.ensure_future(connecting)
        else:
            self.responses.unsent.append(arrived)

    def finish(self, connection: Connection, arrived: float, status: int) -> None:
        """Take a response."""
        self.responses.add(arrived, status)
        if self.again and status == 503:
            retry_after = 1  # seconds, as the response says
            asyncio.get_running_loop().call_later(retry_after, lambda: connection.send(time.perf_counter()))
        elif self.again:
            connection.send(time.perf_counter())
        else:
            self.free.append(connection)

    def lose(self, connection: Connection, arrived: float) -> None:
        """Take a connection out; if it had a request, that has no response."""
        self.connections.remove(connection)
        if connection in self.free:
            self.free.remove(connection)
        else:
            self.responses.add(arrived, 0)

    @property
    def busy(self) -> int:
        """The number of requests without a response."""
        return len(self.connections) - len(self.free)

    def take(self) -> Responses:
        """The responses since the last call."""
        taken, self.responses = self.responses, Responses()
        return taken


async def find_capacity(pool: Pool, clients: int, duration: float) -> float:
    """Requests per second that are answered, when clients ask again as soon as they are."""
    pool.again = True
    for _ in range(clients):
        pool.send(time.perf_counter())
    await asyncio.sleep(duration / 4)  # to warm up
    pool.take()
    await asyncio.sleep(duration)
    responses = pool.take()
    pool.again = False
    await drain(pool)
    return len(responses.of(200)) / duration


async def arrive(pool: Pool, rate: float, duration: float) -> Responses:
    """Send requests at a rate; the responses that have come by the end."""
    started, sent = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < duration:
        while sent < elapsed * rate:
            pool.send(started + sent / rate)
            sent += 1
        await asyncio.sleep(0.001)
    return pool.take()


async def drain(pool: Pool) -> Responses:
    """Wait until each request has its response."""
    while pool.busy:
        await asyncio.sleep(0.01)
    return pool.take()


class Round(NamedTuple):
    """One measurement; times in seconds."""

    capacity: float  # requests per second
    throughput: float  # under overload, as a share of it
    p99: float  # of those that are answered under overload
    shed_p99: float  # of those that are shed
    recovery: float  # from the end of the overload until no request is shed or takes longer than a second
    statuses: Counter[int]
    unsent: int


async def measure(pool: Pool, case: Case) -> Round:
    """The capacity, then the overload, then what follows it."""
    capacity = await find_capacity(pool, case.clients, case.duration)
    warm_up = await arrive(pool, capacity * FACTOR, case.duration / 4)
    overload = await arrive(pool, capacity * FACTOR, case.duration)
    ended = time.perf_counter()
    after = await arrive(pool, capacity / 2, case.duration / 2)
    last = await drain(pool)
    bad = [
        arrived
        for responses in (after, last)
        for arrived, status, seconds in zip(responses.arrived, responses.statuses, responses.seconds, strict=True)
        if arrived > ended and (status != 200 or seconds > 1 + case.seconds_per_row)
    ]
    bad += after.unsent
    answered, shed = overload.of(200), overload.of(503)
    return Round(
        capacity,
        len(answered) / case.duration / capacity,
        float(np.quantile(answered, 0.99)) if len(answered) else np.nan,
        float(np.quantile(shed, 0.99)) if len(shed) else np.nan,
        max(bad, default=ended) - ended,
        Counter(warm_up.statuses) + Counter(overload.statuses) + Counter(after.statuses) + Counter(last.statuses),
        len(warm_up.unsent + overload.unsent + after.unsent),
    )


def make_project(project: Path) -> None:
    """Adopt and train a small table with that estimator."""
    adopt_small_table(project)
    (project / "src/project/slow.py").write_text(ESTIMATOR, encoding="utf-8")
    estimator = "project.slow.SlowRegression"
    edit(project / "conf/base/parameters.yml", lambda conf: conf["trusted_types"].append(estimator))
    chosen = {"class": estimator, "kwargs": {}}
    edit(project / "conf/base/parameters_training.yml", lambda conf: conf.update(estimator=chosen))
    commit(project)
    train(project)


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a YAML file."""
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(settings)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


@contextmanager
def serving(project: Path, case: Case) -> Iterator[str]:
    """`kedro serve` on the first core, this process on the others, until the end of the block; the address."""
    cores = sorted(os.sched_getaffinity(0))
    os.environ[SECONDS_PER_ROW] = str(case.seconds_per_row)
    os.sched_setaffinity(0, cores[:1])  # a process that is started inherits it
    try:
        with running(SERVE, project, "/ready") as (url, _):
            os.sched_setaffinity(0, cores[1:] or cores)
            yield url
    finally:
        os.sched_setaffinity(0, cores)


async def measure_case(url: str, body: bytes, case: Case) -> list[Round]:
    """All rounds of a case."""
    pool = Pool(f"{url}/predict", body)
    return [await measure(pool, case) for _ in range(ROUNDS)]


def main(project: Path) -> None:
    """Print a line for each round, and the medians of each case."""
    if not (project / "mlflow.db").exists():
        make_project(project)
    use_library(project)
    row = rows_of(project).iloc[:1]
    body = b'{"records": %s}' % row.to_json(orient="records").encode()
    for case in CASES:
        with serving(project, case) as url:
            rounds = uvloop.run(measure_case(url, body, case))
        print(f"{case.name}, at {FACTOR} times the capacity")
        for name in Round._fields[:5]:
            values = [getattr(one, name) for one in rounds]
            print(f"  {name:12}{statistics.median(values):9.3f}   of {', '.join(f'{value:.3f}' for value in values)}")
        statuses: Counter[int] = sum((one.statuses for one in rounds), Counter())
        print(f"  responses {dict(statuses)}, not sent {sum(one.unsent for one in rounds)}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as temporary:
            main(Path(temporary))
