from . import plots
from .decision import assess_decision, choose_decision
from .guard_assessment import assess_guard
from .importance import compute_importance
from .labelled_scores import LabelledScores
from .metrics import Evaluation, Metrics, compute_metrics, lower_is_better, score_baseline, to_binary
from .names import BASELINE
from .resampling import bootstrap, make_statistic, metric_names
from .splitting import Parts, group_columns, hash_groups, hash_seen_rows, split_by_hash, split_by_time
from .templates import render

__all__ = [
    "BASELINE",
    "Evaluation",
    "LabelledScores",
    "Metrics",
    "Parts",
    "assess_decision",
    "assess_guard",
    "bootstrap",
    "choose_decision",
    "compute_importance",
    "compute_metrics",
    "group_columns",
    "hash_groups",
    "hash_seen_rows",
    "lower_is_better",
    "make_statistic",
    "metric_names",
    "plots",
    "render",
    "score_baseline",
    "split_by_hash",
    "split_by_time",
    "to_binary",
]
