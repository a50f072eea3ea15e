"""Kedro's settings of the project (https://docs.kedro.org/en/stable/configure/)."""

from kedro_tabular import hooks
from kedro_tabular.config import ConfigLoader

HOOKS = hooks.HOOKS
CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*"]},
    # Another environment, and conf/local, states only the keys that differ.
    "merge_strategy": {"parameters": "soft", "mlflow": "soft"},
}
