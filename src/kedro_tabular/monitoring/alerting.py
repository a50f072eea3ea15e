"""Alerts on their way to people, and what they have been told already."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from ..files import write_atomically

logger = logging.getLogger(__name__)


class AlertsDataset(AbstractDataset[dict[str, Any], dict[str, Any]]):
    """Loads as the state of all alerts; saving tells people, and then keeps the state.

    Args:
        filepath: where the state is kept, as JSON.
        variable: environment variable with the addresses to tell, as Apprise writes them
            (https://appriseit.com/services/), separated by blanks.
        dry_run: print what would be sent, and change nothing.
        metadata: anything; Kedro ignores it.
    """

    def __init__(self, filepath: str, variable: str, dry_run: bool, metadata: dict[str, Any] | None = None) -> None:
        self._filepath, self._variable, self._dry_run = Path(filepath), variable, dry_run
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """How each alert stands; empty at first."""
        if not self._filepath.exists():
            return {}
        state: dict[str, Any] = json.loads(self._filepath.read_text())
        return state

    def save(self, data: dict[str, Any]) -> None:
        """Send the message, if any. What could not be told to all counts as not told, and is sent again.

        Args:
            data: `state`, `message` and `told`, as `decide_alerts` gives them.

        Raises:
            DatasetError: the message could not be delivered.
        """
        message = data["message"]
        if self._dry_run:
            logger.info("dry run, this would be sent: %s", message or "nothing")
            return
        problem = None if message is None else self._send(message)
        state = dict(data["state"])
        for key in data["told"] if problem is None else []:
            if state[key]["raised"]:
                state[key] = state[key] | {"told": True}
            else:
                del state[key]
        write_atomically(self._filepath, json.dumps(state, indent=2))
        if problem:
            raise DatasetError(f"{problem} of {self._variable}; the alert is sent again the next time")

    def _send(self, message: dict[str, str]) -> str | None:
        """What hindered it, empty where there is nobody to tell; None if it was delivered."""
        urls = os.environ.get(self._variable, "").split()
        if not urls:
            logger.info("nobody is told of %s: no addresses in %s", message["title"], self._variable)
            return ""
        import apprise  # only where it is used: it knows more than a hundred services

        logging.getLogger("apprise").disabled = True  # it would log addresses, which hold secrets
        channels = apprise.Apprise()
        wrong = [number for number, url in enumerate(urls, 1) if not channels.add(url)]
        if wrong:
            return f"Apprise can't read address {wrong[0]} of the {len(urls)}"
        if not channels.notify(title=message["title"], body=message["body"]):
            return "the alert could not be delivered to all addresses"
        return None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
