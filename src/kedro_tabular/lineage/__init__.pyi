from .catalog import Catalog
from .connection import connect, connected_to, export_credentials, prepare_target
from .dvc_stages import has_lost_model, is_stale, render_dvc_yaml, tracked_environment
from .git import GitError, run_git
from .hashes import SHORT, bytes_md5, content_md5
from .modules import LIBRARY, defining_module, import_closure, package_folder
from .origin import Origin, OriginReader
from .provenance import DATA, ENVIRONMENT, GIT, expand_tags, select_tags, version_tags
from .remotes import read_dvc_file
from .reproduction import ReproductionError, reproduce
from .stage_check import check_stage
from .tracking import RunTracking
from .verification import find_problems, find_reproducible

__all__ = [
    "DATA",
    "ENVIRONMENT",
    "GIT",
    "LIBRARY",
    "SHORT",
    "Catalog",
    "GitError",
    "Origin",
    "OriginReader",
    "ReproductionError",
    "RunTracking",
    "bytes_md5",
    "check_stage",
    "connect",
    "connected_to",
    "content_md5",
    "defining_module",
    "expand_tags",
    "export_credentials",
    "find_problems",
    "find_reproducible",
    "has_lost_model",
    "import_closure",
    "is_stale",
    "package_folder",
    "prepare_target",
    "read_dvc_file",
    "render_dvc_yaml",
    "reproduce",
    "run_git",
    "select_tags",
    "tracked_environment",
    "version_tags",
]
