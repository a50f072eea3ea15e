"""What the service tells Prometheus of itself."""

import os
from collections import Counter as Counts
from threading import Lock

import numpy as np
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from .deployment import Deployment

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # where several processes add up what they count
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ServiceMetrics:
    """Counters and gauges of one process."""

    def __init__(self) -> None:
        disable_created_metrics()
        own = CollectorRegistry()
        self._registry = own
        if os.environ.get(SHARED):
            self._registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(self._registry)
        self._requests = Counter("requests", "Requests by path and status", ["path", "status"], registry=own)
        self._errors = Counter("errors", "Requests refused or failed, by code", ["code"], registry=own)
        self._seconds = Histogram(
            "request_seconds", "Time to answer a request", ["path"], buckets=_SECONDS, registry=own
        )
        self._rows = Counter("rows", "Rows answered, by source", ["source"], registry=own)
        self._reasons = Counter("reasons", "Reasons found, by code and source", ["code", "source"], registry=own)
        self._predictions = Counter("predictions", "Rows by predicted class", ["prediction"], registry=own)
        self._version = Gauge(
            "model_version",
            "1 for the version that answers",
            ["model", "version"],
            registry=own,
            multiprocess_mode="max",
        )
        self._reachable = Gauge(
            "registry_reachable", "Whether the registry answers", registry=own, multiprocess_mode="min"
        )
        self._refused = Gauge(
            "versions_refused", "Versions that could not be served", registry=own, multiprocess_mode="max"
        )
        self._shown: tuple[str, str] | None = None
        self._unlogged: Counts[str] = Counts()
        self._lock = Lock()

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that has been answered, whatever the answer."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def count_error(self, code: str) -> None:
        """Count a request that was refused or failed."""
        self._errors.labels(code).inc()
        with self._lock:
            self._unlogged[code] += 1

    def take_errors(self) -> dict[str, int]:
        """Requests refused or failed since this was last asked, by code."""
        with self._lock:
            taken, self._unlogged = self._unlogged, Counts()
        return dict(taken)

    def count_answers(self, answers: dict[str, np.ndarray], classes: bool) -> None:
        """Count rows by source, reason and predicted class."""
        for source, rows in Counts(answers["source"]).items():
            self._rows.labels(source).inc(rows)
        for source, reasons in zip(answers["source"], answers["reasons"], strict=True):
            for code in {reason.partition(":")[0] for reason in reasons}:
                self._reasons.labels(code, source).inc()
        if classes:
            for prediction, rows in Counts(answers["prediction"].tolist()).items():
                self._predictions.labels(str(prediction)).inc(rows)

    def note(self, deployment: Deployment) -> None:
        """Note which version answers, and what is the matter with others."""
        identity = deployment.current.identity
        shown = (identity.model, identity.version)
        if self._shown not in (None, shown):
            assert self._shown is not None
            self._version.labels(*self._shown).set(0)
        self._version.labels(*shown).set(1)
        self._shown = shown
        self._reachable.set(deployment.registry_problem is None)
        self._refused.set(len(deployment.refused))

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
