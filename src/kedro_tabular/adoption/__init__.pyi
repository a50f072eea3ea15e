from .inference import InferredContract, infer_contract
from .options import Options
from .planning import add_dvc_stages, find_unused_files, plan_changes
from .source import open_source
from .split import Split, choose_split

__all__ = [
    "InferredContract",
    "Options",
    "Split",
    "add_dvc_stages",
    "choose_split",
    "find_unused_files",
    "infer_contract",
    "open_source",
    "plan_changes",
]
