"""What the processes that a benchmark has started take of the machine."""

import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

import psutil


class Sample(NamedTuple):
    """At one moment: seconds since the start, MiB of memory in use, and open files, sockets included."""

    seconds: float
    mebibytes: float
    files: int


class Sampler:
    """Samples the processes that this one has started, in a thread, until the end of the block."""

    def __init__(self, interval: float = 0.2) -> None:
        self.samples: list[Sample] = []
        self._interval, self._ended = interval, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        started = time.perf_counter()
        while not self._ended.wait(self._interval):
            memory, files = 0, 0
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    memory += process.memory_info().rss
                    files += process.num_fds()
            self.samples.append(Sample(time.perf_counter() - started, memory / 2**20, files))

    @property
    def peak_mebibytes(self) -> float:
        """The most memory at one moment."""
        return max(sample.mebibytes for sample in self.samples)

    @property
    def peak_files(self) -> int:
        """The most open files at one moment."""
        return max(sample.files for sample in self.samples)
