from .dvc_files import DvcError, changed_models, commit_model, run_shared
from .jobs import Event, run_all
from .worker import Outcome, Task

__all__ = ["DvcError", "Event", "Outcome", "Task", "changed_models", "commit_model", "run_all", "run_shared"]
