"""What the processes of all models need: read once, when it is imported into the process that they are forked from."""

import gc
import logging
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from kedro.framework import project
from kedro.framework.startup import bootstrap_project
from kedro.utils import find_kedro_project
from mlflow.utils.requirements_utils import warn_dependency_requirement_mismatches

from ..config import read_conf
from .dvc_files import prepare_commit


def _prepare() -> Path | None:
    """Read the project of the working directory, if it is within one: settings, pipelines and conf/.

    It must not start threads, as a fit does: a process with threads can't be forked.
    """
    found = find_kedro_project(Path.cwd())
    if found is None:
        return None
    bootstrap_project(found)
    import_module(f"{project.PACKAGE_NAME}.pipeline_registry").register_pipelines()
    conf = read_conf(found, model="")
    for kind in ("parameters", "catalog", "mlflow"):
        conf[kind]
    warn_dependency_requirement_mismatches(["mlflow"])  # MLflow lists the installed packages, and keeps the list
    prepare_commit(found)
    return found.resolve()


PROJECT: Path | None = None  # that is read
logging.disable()  # this process has the terminal of the command
with suppress(Exception):  # each model meets the error again, and tells it
    PROJECT = _prepare()
logging.disable(logging.NOTSET)
gc.freeze()  # the garbage collector of a process would go through all that is imported, and so copy it
