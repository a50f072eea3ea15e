"""Fetches versions into the local cache before they are needed, so that they can be loaded without the registry."""

import logging
import threading
from collections.abc import Callable, Mapping

from .deployment import Deployment
from .loaded_version import RowSchema

logger = logging.getLogger(__name__)

_ROUNDS_BEFORE_RETRY = 12  # of a version that could not be fetched: the cause may have been temporary


class Prefetcher:
    """Fetches versions in a thread, those that have changed since the last round. `schemas` has what they take."""

    def __init__(self, get_deployment: Callable[[str], Deployment | None], is_stopped: Callable[[], bool]) -> None:
        self._get_deployment, self._is_stopped = get_deployment, is_stopped
        self._fetched: dict[str, str] = {}  # version by model
        self._rounds_before_retry: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        self.schemas: dict[str, RowSchema] = {}

    def start_round(self, numbers: Mapping[str, str]) -> None:
        """Fetch versions by model, unless the last round still runs."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, args=(dict(numbers),), name="prefetch", daemon=True)
            self._thread.start()

    def _run(self, numbers: Mapping[str, str]) -> None:
        for name, number in numbers.items():
            deployment = self._get_deployment(name)
            if self._is_stopped() or deployment is None or self._fetched.get(name) == number:
                continue
            if self._rounds_before_retry.get(name, 0) > 0:
                self._rounds_before_retry[name] -= 1
                continue
            try:
                deployment.prefetch()
                schema = deployment.read_schema()
            except Exception as error:  # of the store that has the files; told again when the model is needed
                logger.warning("%s version %s can't be fetched: %s", name, number, type(error).__name__)
                self._rounds_before_retry[name] = _ROUNDS_BEFORE_RETRY
                continue
            self._fetched[name] = number
            if schema is not None:
                self.schemas[name] = schema
