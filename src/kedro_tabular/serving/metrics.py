"""Metrics of the service for Prometheus."""

import os
from collections import Counter as Counts
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

import numpy as np
import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess

from ..files import write_atomically
from .backlog import Backlog
from .deployment import Deployment
from .following import RegistryFollower
from .unknown_fields import UnknownFields

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # environment variable: where several processes add up their counts
# The files there that a process writes to, and what each is given at once, in bytes: prometheus_client maps them into
# memory, and a process that first touches a page while the disk is full is killed.
_FILES, _FILE_SIZE = ("counter", "histogram", "gauge_livemax", "gauge_livemin", "gauge_livesum"), 1 << 18
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # seconds


class ServiceMetrics:
    """Counters and gauges of one process. Those that are not about one model are about `default_model`.

    Raises:
        OSError: several processes have no room to share them.
    """

    def __init__(self, default_model: str = "") -> None:
        self._default_model = default_model
        prometheus_client.disable_created_metrics()
        own = CollectorRegistry()
        self._registry = own
        self._shared_folder = os.environ.get(SHARED_FOLDER)
        if self._shared_folder:
            _reserve_files(Path(self._shared_folder))
            self._registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(self._registry)
        self._requests = Counter("requests", "Requests by path and status", ["path", "status"], registry=own)
        self._errors = Counter("errors", "Failed requests by model and error code", ["model", "code"], registry=own)
        self._keys = Counter("key_requests", "Requests by the name of their API key", ["key"], registry=own)
        self._seconds = Histogram("request_seconds", "Duration of a request", ["path"], buckets=_BUCKETS, registry=own)
        self._rows = Counter("rows", "Predicted rows by source", ["model", "source"], registry=own)
        self._reasons = Counter("reasons", "Reasons of rows by code", ["model", "code", "source"], registry=own)
        self._unknown = Counter(
            "unknown_fields", "Fields that are no column, by a similar column", ["model", "near"], registry=own
        )
        self._predictions = Counter("predictions", "Rows by predicted class", ["model", "prediction"], registry=own)
        # `live`: of several processes, those that have ended do not count.
        self._version = Gauge(
            "model_version", "1 for the served version", ["model", "version"], registry=own, multiprocess_mode="livemax"
        )
        self._reachable = Gauge("registry_reachable", "0 or 1", registry=own, multiprocess_mode="livemin")
        self._refreshed = Gauge(
            "refreshed_timestamp_seconds",
            "When the registry was last asked for the version to serve",
            registry=own,
            multiprocess_mode="livemin",
        )
        self._failing = Gauge("refresh_failing", "0 or 1", registry=own, multiprocess_mode="livemax")
        self._refused = Gauge(
            "versions_refused", "Unusable versions", ["model"], registry=own, multiprocess_mode="livemax"
        )
        self._queue = [
            Gauge("queue_requests", "Requests that are not answered yet", registry=own, multiprocess_mode="livesum"),
            Gauge("queue_rows", "Rows of these requests", registry=own, multiprocess_mode="livesum"),
            Gauge("queue_seconds", "Expected time until they are answered", registry=own, multiprocess_mode="livemax"),
            Gauge("held_bytes", "Bodies and responses that are kept", registry=own, multiprocess_mode="livesum"),
        ]
        self._served: dict[str, str] = {}  # versions by model
        self._unlogged_errors: Counts[tuple[str, str]] = Counts()  # by model and code
        self._lock, self._storing = Lock(), Lock()

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request, whatever its status."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def count_error(self, code: str, model: str = "") -> None:
        """Count a failed request, to one model or to none."""
        model = model or self._default_model
        self._errors.labels(model, code).inc()
        with self._lock:
            self._unlogged_errors[model, code] += 1

    def count_key(self, name: str) -> None:
        """Count a request with the API key of this name."""
        self._keys.labels(name).inc()

    @contextmanager
    def take_errors(self) -> Iterator[dict[str, dict[str, int]]]:
        """Failed requests by model and code since the last call, to be stored in the block; else they are kept."""
        with self._storing:  # another thread waits until they are stored
            with self._lock:
                errors = self._unlogged_errors.copy()
            by_model: dict[str, dict[str, int]] = {}
            for (model, code), requests in errors.items():
                by_model.setdefault(model, {})[code] = requests
            yield by_model
            with self._lock:
                self._unlogged_errors -= errors

    def count_predictions(self, model: str, columns: dict[str, np.ndarray], is_classification: bool) -> None:
        """Count the rows of a model by source, reason and predicted class."""
        for source, rows in Counts(columns["source"]).items():
            self._rows.labels(model, source).inc(rows)
        for source, reasons in zip(columns["source"], columns["reasons"], strict=True):
            for code in {reason.partition(":")[0] for reason in reasons}:
                self._reasons.labels(model, code, source).inc()
        if is_classification:
            for prediction, rows in Counts(columns["prediction"].tolist()).items():
                self._predictions.labels(model, str(prediction)).inc(rows)

    def count_unknown_fields(self, model: str, unknown: UnknownFields) -> None:
        """Count the unknown fields of a request. Their own names are no labels: clients must not create those."""
        for near, fields in Counts(near or "" for near in unknown.near.values()).items():
            self._unknown.labels(model, near).inc(fields)
        if unknown.more:
            self._unknown.labels(model, "").inc(unknown.more)

    def record_deployments(self, deployments: Collection[Deployment]) -> None:
        """Set the gauges of the served and the refused versions; those of other models become 0."""
        served = {deployment.name: deployment.current.identity.version for deployment in deployments}
        for model, version in self._served.items():
            if served.get(model) != version:
                self._version.labels(model, version).set(0)
        for deployment in deployments:
            self._version.labels(deployment.name, served[deployment.name]).set(1)
            self._refused.labels(deployment.name).set(len(deployment.refused_versions))
        self._served = served

    def record_registry(self, state: RegistryFollower) -> None:
        """Set the gauges of the registry."""
        self._reachable.set(state.registry_error is None)
        self._refreshed.set(state.refreshed)
        self._failing.set(state.refresh_error is not None)

    def record_backlog(self, backlog: Backlog) -> None:
        """Set the gauges of the queue."""
        values = (backlog.requests, backlog.rows, backlog.seconds, backlog.held.bytes)
        for gauge, value in zip(self._queue, values, strict=True):
            gauge.set(value)

    def render(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        if self._shared_folder:
            _forget_ended_processes(Path(self._shared_folder))
        return prometheus_client.generate_latest(self._registry)


def _reserve_files(folder: Path) -> None:
    for name in _FILES:
        write_atomically(folder / f"{name}_{os.getpid()}.db", bytes(_FILE_SIZE))


def _forget_ended_processes(folder: Path) -> None:
    """Remove the gauges of processes that have ended; their counts stay."""
    for process_id in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*.db")}:
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another process is doing the same
                multiprocess.mark_process_dead(process_id, str(folder))
        except PermissionError:  # it lives
            pass
