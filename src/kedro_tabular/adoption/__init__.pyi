from .changes import Changes
from .estimators import choose_days, choose_estimator
from .inference import InferredContract, infer_contract
from .options import Options
from .planning import find_unused_files, plan_changes
from .segments import plan_models
from .settings import choose_datetime_parts, describe_left_out_rules
from .source import open_source
from .split import Split, choose_split
from .template import is_template, plan_own_files

__all__ = [
    "Changes",
    "InferredContract",
    "Options",
    "Split",
    "choose_datetime_parts",
    "choose_days",
    "choose_estimator",
    "choose_split",
    "describe_left_out_rules",
    "find_unused_files",
    "infer_contract",
    "is_template",
    "open_source",
    "plan_changes",
    "plan_models",
    "plan_own_files",
]
