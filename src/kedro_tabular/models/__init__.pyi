from .dvc_files import DvcError, changed_models, run_shared
from .jobs import Event, run_all, warm_up
from .worker import Outcome, Task

__all__ = ["DvcError", "Event", "Outcome", "Task", "changed_models", "run_all", "run_shared", "warm_up"]
