from .estimators import EstimatorChoice, choose_estimator
from .inference import InferredContract, infer_contract
from .options import Options
from .planning import add_dvc_stages, find_unused_files, plan_changes
from .settings import choose_datetime_parts, describe_left_out_rules
from .source import open_source
from .split import Split, choose_split

__all__ = [
    "EstimatorChoice",
    "InferredContract",
    "Options",
    "Split",
    "add_dvc_stages",
    "choose_datetime_parts",
    "choose_estimator",
    "choose_split",
    "describe_left_out_rules",
    "find_unused_files",
    "infer_contract",
    "open_source",
    "plan_changes",
]
