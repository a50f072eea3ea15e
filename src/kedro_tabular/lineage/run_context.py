"""The tag of a run with its process, in the request that creates the run."""

import os
import socket

import psutil
from mlflow.tracking.context import registry
from mlflow.tracking.context.abstract_context import RunContextProvider

PROCESS = "process"


class ProcessContext(RunContextProvider):
    """Gives the runs of this process the tag by which `end_killed_runs` finds it."""

    def in_context(self) -> bool:
        """Always."""
        return True

    def tags(self) -> dict[str, str]:
        """The tag."""
        # Process ids are reused; together with its start time, an id identifies one process for good.
        return {PROCESS: f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}"}


def tag_runs_with_process() -> None:
    """Let each run that this process creates have the tag from the start.

    Not by MLflow's entry point for such classes: it would import the library into every process with MLflow, before a
    model's archived code is found there.
    """
    providers = registry._run_context_provider_registry  # MLflow has no public name for it; tested in test_processes.py
    if not any(isinstance(provider, ProcessContext) for provider in providers):
        providers.register(ProcessContext)
