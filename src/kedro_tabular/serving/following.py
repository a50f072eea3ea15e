"""Follows the registry in a thread: when it was last asked, and what has failed since."""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from ..outages import describe_outage

logger = logging.getLogger(__name__)


def format_time(seconds: float) -> str:
    """A time in seconds since 1970 in ISO 8601, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class RegistryFollower(ABC):
    """Asks the registry from time to time."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self.registry_error: str | None = None
        self.refresh_error: str | None = None  # of any other kind
        self.refreshed = 0.0  # when the registry was last asked successfully, in seconds since 1970

    def start_polling(self, interval: float, after_refresh: Callable[[], None]) -> None:
        """Refresh in a thread, with a pause of `interval` seconds, until `close`."""

        def poll() -> None:
            while not self._stopped.wait(interval):
                for step in (self.refresh, after_refresh):
                    try:
                        step()
                    except BaseException:  # of any type: the thread must go on
                        logger.exception("the refresh failed; it is tried again")

        self._stopped.clear()
        threading.Thread(target=poll, name="deployment", daemon=True).start()

    def close(self) -> None:
        """Stop polling."""
        self._stopped.set()

    def refresh(self) -> None:
        """Ask the registry, and act on its answer.

        An unreachable registry is recorded. Errors that are not foreseen are recorded and raised.
        """
        try:
            self._refresh()
        except BaseException:
            if self.refresh_error is None:
                self.refresh_error = f"failing since {format_time(time.time())}"
            raise
        self.refresh_error = None

    @abstractmethod
    def _refresh(self) -> None:
        """Ask the registry, and act on its answer."""

    def _record_success(self) -> None:
        self.refreshed = time.time()
        if self.registry_error is not None:
            logger.info("the registry is reachable again")
            self.registry_error = None

    def _record_registry_error(self, error: Exception) -> None:
        if self.registry_error is None:
            logger.warning("the registry is not reachable: %s", describe_outage(error) or error)
            self.registry_error = f"unreachable since {format_time(time.time())}"
