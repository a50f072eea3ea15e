"""Metrics of your own by name, beside those of the library: each run measures them, and rules of the gate can use them."""

from collections.abc import Callable

import numpy as np

# Functions of the true classes (n_rows,), the probabilities (n_rows, n_classes) and the classes in their order.
CLASSIFICATION: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {}
# Functions of the true and the predicted numbers, both of shape (n_rows,).
REGRESSION: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {}
# Names of those above of which a lower value is better.
ERRORS: set[str] = set()
