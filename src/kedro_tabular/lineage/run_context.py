"""The tag of a run with its process. MLflow imports this module while it is itself imported, so it imports little."""

import os
import socket

import psutil
from mlflow.tracking.context.abstract_context import RunContextProvider

PROCESS = "process"


class ProcessContext(RunContextProvider):
    """Gives the runs of Kedro the tag by which `end_killed_runs` finds their process, in the request that creates them.

    MLflow knows it as an entry point of the distribution.
    """

    is_tracked = False  # set when Kedro tracks a run: other users of MLflow get no tag

    def in_context(self) -> bool:
        """Whether the process runs Kedro."""
        return self.is_tracked

    def tags(self) -> dict[str, str]:
        """The tag."""
        # Process ids are reused; together with its start time, an id identifies one process for good.
        return {PROCESS: f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}"}
