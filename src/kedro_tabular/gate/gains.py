"""Gains of one model over another, and their intervals."""

from typing import TypeVar

import numpy as np

from ..evaluation import lower_is_better

Values = dict[str, float | None]
Number = TypeVar("Number", float, np.ndarray)


def gain(metric: str, value: Number, reference: Number) -> Number:
    """By how much a metric is better than a reference; negative where it is worse."""
    return reference - value if lower_is_better(metric) else value - reference


def none_if_nan(value: float | None) -> float | None:
    """None for a metric that is not defined, such as the ROC AUC of a single class: JSON has no NaN."""
    return None if value is None or np.isnan(value) else float(value)


def left_to_gain(metric: str, value: float) -> float:
    """How far a metric is from its best value: 0 for an error, else 1; the metric itself if it has no such value."""
    return abs(value) if lower_is_better(metric) or value > 1 else 1 - value


def interval(resampled: np.ndarray, confidence: float, prefix: str = "") -> Values:
    """The percentile interval of a metric's resamples, as `low` and `high`; None where it is defined on none."""
    defined = resampled[~np.isnan(resampled)]
    if not len(defined):
        return {prefix + "low": None, prefix + "high": None}
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return {prefix + "low": low, prefix + "high": high}
