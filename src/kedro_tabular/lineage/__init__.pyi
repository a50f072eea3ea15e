from .catalog import Catalog
from .dvc_stages import render_dvc_yaml
from .git import GitError, run_git
from .modules import LIBRARY, defining_module, import_closure, package_folder
from .origin import Origin, OriginReader
from .provenance import DATA, ENVIRONMENT, GIT, bytes_md5, content_md5, read_dvc_file, select_tags
from .reproduction import ReproductionError, reproduce
from .tracking import RunTracking
from .verification import find_problems

__all__ = [
    "DATA",
    "ENVIRONMENT",
    "GIT",
    "LIBRARY",
    "Catalog",
    "GitError",
    "Origin",
    "OriginReader",
    "ReproductionError",
    "RunTracking",
    "bytes_md5",
    "content_md5",
    "defining_module",
    "find_problems",
    "import_closure",
    "package_folder",
    "read_dvc_file",
    "render_dvc_yaml",
    "reproduce",
    "run_git",
    "select_tags",
]
