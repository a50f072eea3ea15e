"""The metrics of the project's metrics.py."""

import inspect
from collections.abc import Callable

import numpy as np

from ..kedro_project import project_module
from ..parameters import ParameterError
from .labelled_scores import LabelledScores


def custom_metrics(task: str) -> dict[str, Callable[..., float]]:
    """The metrics in `CLASSIFICATION` or `REGRESSION` of the project's metrics.py by name."""
    return dict(getattr(project_module("metrics"), task.upper(), {}))


def compute_custom_metric(name: str, scored: LabelledScores, weights: np.ndarray | None = None) -> float:
    """One metric of the project's metrics.py, with the weight of each row, shape (n_rows,), if the rows have one.

    A metric without the parameter `sample_weight` gets each row as many times as its weight says. Raises KeyError if
    the task has no metric of that name, and ParameterError if such a metric would have to take a part of a row.
    """
    metric = custom_metrics(scored.task)[name]
    options: dict[str, np.ndarray] = {}
    if weights is not None:
        rows = np.flatnonzero(weights)  # the others don't count, whatever the metric does
        if _accepts_weights(metric):
            options = {"sample_weight": weights[rows]}
        elif (weights == weights.round()).all():
            rows = np.repeat(rows, weights[rows].astype(int))
        else:
            raise ParameterError(
                f"the metric {name} in metrics.py needs the parameter sample_weight=None, the weight of each row: "
                "its estimate without outcomes counts a row partly as of each class (docs/howto.md, Add a metric)"
            )
        scored = scored.select(rows)
    arguments = (scored.y_true, scored.scores) if scored.classes is None else scored[:3]
    return float(metric(*arguments, **options))


def _accepts_weights(metric: Callable[..., float]) -> bool:
    parameters = inspect.signature(metric).parameters.values()
    return any(parameter.name == "sample_weight" or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
