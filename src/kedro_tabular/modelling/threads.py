"""The number of threads of OpenMP, on which scikit-learn's and other estimators run."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

_FEW_ROWS = 1000  # to predict
_FEW_CELLS = 1_000_000  # to fit on


def one_thread() -> AbstractContextManager[Any]:
    """A block in which OpenMP uses one thread.

    Threads pay where an estimator is fitted on many rows or predicts many. In small steps they wait for each other,
    actively: a single row takes longer, and on a machine with other work many times as long.
    """
    limit: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="openmp")
    return limit


def threads_for_prediction(n_rows: int) -> AbstractContextManager[Any]:
    """A block in which OpenMP has the threads that pay to predict so many rows."""
    return one_thread() if n_rows < _FEW_ROWS else nullcontext()


def threads_for_fit(n_cells: int) -> AbstractContextManager[Any]:
    """A block in which OpenMP has the threads that pay to fit on so many rows times features."""
    return one_thread() if n_cells < _FEW_CELLS else nullcontext()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # it inspects all loaded libraries, which takes milliseconds
