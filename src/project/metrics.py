"""Metrics of your own, by name. Each run computes them with the library's, and rules of the gate can use them."""

from collections.abc import Callable

import numpy as np

# Functions of the true classes (n_rows,), the probabilities (n_rows, n_classes) and the classes of their columns.
CLASSIFICATION: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {}
# Functions of the true and the predicted values, both of shape (n_rows,).
REGRESSION: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {}
# Names of the metrics above where lower is better.
ERRORS: set[str] = set()
