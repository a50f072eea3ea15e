"""Kedro's settings of the project (https://docs.kedro.org/en/stable/configure/)."""

import os

# Off unless the user has decided otherwise; Kedro's and DVC's are in .telemetry and .dvc/config.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from .hooks import ParametersInConfig, RunReport  # noqa: E402

HOOKS = (ParametersInConfig(), RunReport())
CONFIG_LOADER_ARGS = {"base_env": "base", "default_run_env": "local"}
