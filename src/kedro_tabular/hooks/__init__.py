"""Kedro hooks: the project's folder, whole files, MLflow tracking, locks on outputs, a check of inputs, a summary."""

import logging
import os

from .context import DefaultSections, MlflowTracking, ModelCheck, ProjectFolder, check_table
from .datasets import InputCheck, OutputLocks, RegistrationCheck, StageCheck
from .local_files import WholeFiles
from .summary import RunSummary

__all__ = ["HOOKS", "check_table"]

# Read when mlflow is imported, which is later than this module.
# Kedro's telemetry is switched off in .telemetry, DVC's in .dvc/config.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

# Warnings that the user can't or should not act on: about the type hints of kedro-mlflow's own model, the option that
# Kedro's users know, and the two names that MLflow has for one kind of source.
_IGNORED_WARNINGS = (
    "Add type hints to the `predict` method",
    "Any type hint is inferred",
    "'--pipeline' is deprecated",
    "dataset source can be interpreted in multiple ways",
)
logging.getLogger("py.warnings").addFilter(
    lambda record: not any(text in record.getMessage() for text in _IGNORED_WARNINGS)
)
# It prints the traceback of an error that it also raises.
logging.getLogger("mlflow.store.db.utils").addFilter(lambda record: record.exc_info is None)

HOOKS = (
    ProjectFolder(),
    WholeFiles(),
    DefaultSections(),
    ModelCheck(),
    OutputLocks(),
    StageCheck(),
    MlflowTracking(),
    RegistrationCheck(),
    InputCheck(),
    RunSummary(),
)
