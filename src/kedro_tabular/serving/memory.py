"""The memory of the service."""

import ctypes
import gc
from contextlib import suppress

import psutil


def memory_mb() -> float:
    """The resident memory of this process, and of those that run models with other code."""
    process = psutil.Process()
    total = process.memory_info().rss
    for child in process.children():
        with suppress(psutil.Error):  # it has ended
            total += child.memory_info().rss
    return float(total) / 1e6


def release_memory() -> None:
    """Give memory that is free in this process back to the system."""
    gc.collect()
    with suppress(AttributeError, OSError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
