"""Kedro hooks of the project: parameters inside the catalog, and what a run tells its user."""

import logging
import time
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node
from omegaconf import OmegaConf

logger = logging.getLogger(__name__)


class ParametersInConfig:
    """Lets catalog.yml and mlflow.yml say `${params:table.name}`, so that nothing is stated twice."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Register the resolver before kedro-mlflow or the catalog read their files."""
        OmegaConf.register_new_resolver(
            "params", lambda key: OmegaConf.select(OmegaConf.create(context.params), key), replace=True
        )


class RunReport:
    """Prints a line for each finished node."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Note when the node starts."""
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Say that the node is done, and how long it took."""
        logger.info("%-20s %5.1f s", node.name, time.perf_counter() - self._started[node.name])
