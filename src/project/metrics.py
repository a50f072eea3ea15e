"""Metrics of your own, by name. Each run computes them with the library's, and rules of the gate can use them.

As in scikit-learn, `sample_weight` is the weight of each row, of shape (n_rows,), or None. A metric without it can't be
`profile.metric` of a classification, which monitoring also estimates without outcomes. For example:

    def hits(y_true, probabilities, classes, sample_weight=None):
        return accuracy_score(y_true, classes.take(probabilities.argmax(axis=1)), sample_weight=sample_weight)
"""

from collections.abc import Callable

# Functions of the true classes (n_rows,), the probabilities (n_rows, n_classes), the classes of their columns, and
# `sample_weight`.
CLASSIFICATION: dict[str, Callable[..., float]] = {}
# Functions of the true and the predicted values, both of shape (n_rows,), and `sample_weight`.
REGRESSION: dict[str, Callable[..., float]] = {}
# Names of the metrics above where lower is better.
ERRORS: set[str] = set()
