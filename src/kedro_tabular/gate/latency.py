"""The latency of a model on one row, measured so that other work on the machine does not count."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..modelling import one_thread

_ROWS, _REPEATS = 30, 5
_REFERENCE_SIZE = 20_000  # numbers that the reference workload sorts: about a millisecond


def measure_latency(predict: Callable[[pd.DataFrame], Any], table: pd.DataFrame) -> float:
    """The median latency of a single row of the table in milliseconds, after one to warm up.

    Each row counts with its fastest repeat. A reference workload is timed beside each repeat: where its fastest repeats
    take longer than the fastest of all, the machine was slower by as much, and the latency is corrected for it.
    """
    numbers = np.random.default_rng(0).random(_REFERENCE_SIZE)
    predict(table.iloc[[0]])
    latencies, references = [], []
    with one_thread():
        for position in range(_ROWS):
            row = table.iloc[[position % len(table)]]
            latencies.append(_fastest(predict, row))
            references.append(_fastest(np.sort, numbers))
    slowdown = statistics.median(references) / min(references)
    return statistics.median(latencies) / slowdown * 1000


def _fastest(work: Callable[[Any], Any], argument: Any) -> float:
    """The shortest time of several repeats, in seconds."""
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work(argument)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
