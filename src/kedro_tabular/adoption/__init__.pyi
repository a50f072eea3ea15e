from .inference import Decision, decide
from .options import Options
from .project import add_stages, find_changes, find_leftovers
from .source import open_source
from .split import Split, choose_split

__all__ = [
    "Decision",
    "Options",
    "Split",
    "add_stages",
    "choose_split",
    "decide",
    "find_changes",
    "find_leftovers",
    "open_source",
]
