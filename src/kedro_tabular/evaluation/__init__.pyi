from .baseline import BASELINE, score_baseline
from .guard_assessment import assess_guard
from .importance import measure_importance
from .metrics import LabelledScores, Metrics, confidences, lower_is_better, measure
from .plots import calibration_overlay
from .resampling import bootstrap, metric_names, prepare
from .settings import Evaluation
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
    "calibration_overlay",
    "confidences",
    "lower_is_better",
    "measure",
    "measure_importance",
    "metric_names",
    "prepare",
    "render",
    "score_baseline",
    "split_at_random",
    "split_by_time",
]
