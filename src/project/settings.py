"""Kedro's settings of the project (https://docs.kedro.org/en/stable/configure/)."""

import logging
import os
from typing import Any

# Read when mlflow is imported, which is later than this module.
# Kedro's telemetry is switched off in .telemetry, DVC's in .dvc/config.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

# Said at each run of things that nobody here can or should change: the type hints of kedro-mlflow's own
# model, the name of the option that Kedro's users know, and two names that MLflow has for one kind of source.
_NOISE = (
    "Add type hints to the `predict` method",
    "Any type hint is inferred",
    "'--pipeline' is deprecated",
    "dataset source can be interpreted in multiple ways",
)
logging.getLogger("py.warnings").addFilter(
    lambda record: not any(noise in record.getMessage() for noise in _NOISE)
)

from .hooks import OneWriter, ParametersInConfig, RunReport, Tracking, VersionCheck  # noqa: E402

HOOKS = (ParametersInConfig(), OneWriter(), Tracking(), VersionCheck(), RunReport())
CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*"]},
    # Another environment, and conf/local, states only the keys that differ.
    "merge_strategy": {"parameters": "soft", "mlflow": "soft"},
}
