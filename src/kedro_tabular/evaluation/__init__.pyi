from . import plots
from .guard_assessment import assess_guard
from .importance import compute_importance
from .metrics import Evaluation, LabelledScores, Metrics, compute_metrics, lower_is_better, score_baseline, to_binary
from .names import BASELINE
from .resampling import bootstrap, make_statistic, metric_names
from .splitting import Parts, split_at_random, split_by_time
from .templates import render

__all__ = [
    "BASELINE",
    "Evaluation",
    "LabelledScores",
    "Metrics",
    "Parts",
    "assess_guard",
    "bootstrap",
    "compute_importance",
    "compute_metrics",
    "lower_is_better",
    "make_statistic",
    "metric_names",
    "plots",
    "render",
    "score_baseline",
    "split_at_random",
    "split_by_time",
    "to_binary",
]
