from .catalog import Catalog
from .dvc_stages import write_stages
from .git import GitError, run_git
from .modules import LIBRARY, closure, defining_module, package_folder
from .origin import Origin, Reader
from .provenance import DATA, ENVIRONMENT, GIT, content_md5, pointer
from .reproduction import ReproductionError, reproduce
from .tracking import RunTracking
from .verification import find_faults

__all__ = [
    "DATA",
    "ENVIRONMENT",
    "GIT",
    "LIBRARY",
    "Catalog",
    "GitError",
    "Origin",
    "Reader",
    "ReproductionError",
    "RunTracking",
    "closure",
    "content_md5",
    "defining_module",
    "find_faults",
    "package_folder",
    "pointer",
    "reproduce",
    "run_git",
    "write_stages",
]
