"""Sends alerts, and stores which alerts were sent."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from ..files import write_atomically

logger = logging.getLogger(__name__)


class AlertsDataset(AbstractDataset[dict[str, Any], dict[str, Any]]):
    """Loads the state of all alerts; saving sends the message, and then stores the new state.

    Args:
        filepath: the JSON file of the state.
        variable: environment variable with Apprise addresses (https://appriseit.com/services/), separated by blanks.
        dry_run: print what would be sent, and change nothing.
    """

    def __init__(self, filepath: str, variable: str, dry_run: bool, metadata: dict[str, Any] | None = None) -> None:
        self._filepath, self._variable, self._dry_run = Path(filepath), variable, dry_run
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """The state of the alerts, as `decide_alerts` describes it; empty at first."""
        if not self._filepath.exists():
            return {}
        state: dict[str, Any] = json.loads(self._filepath.read_text(encoding="utf-8"))
        return state

    def save(self, data: dict[str, Any]) -> None:
        """Send the message, if any; `data` is the result of `decide_alerts`.

        Alerts that could not be sent to all addresses are sent again the next time.

        Raises:
            DatasetError: the message could not be delivered.
        """
        message = data["message"]
        if self._dry_run:
            logger.info("dry run, this would be sent: %s", message or "nothing")
            return
        is_sent, problem = (True, None) if message is None else self._send(message)
        state = dict(data["state"])
        for key in data["keys"] if is_sent else []:
            if state[key]["raised"]:
                state[key] = state[key] | {"told": True}
            else:
                del state[key]
        write_atomically(self._filepath, json.dumps(state, indent=2))
        if problem:
            raise DatasetError(f"{problem} in {self._variable}; the alert is sent again the next time")

    def _send(self, message: dict[str, str]) -> tuple[bool, str | None]:
        """Whether the message was delivered, and if not what the problem was; no address is not a problem."""
        urls = os.environ.get(self._variable, "").split()
        if not urls:
            logger.info("the alert is not sent, as there are no addresses in %s: %s", self._variable, message["title"])
            return False, None
        import apprise  # slow to import: it supports more than a hundred services

        logging.getLogger("apprise").disabled = True  # it would log the addresses, which contain secrets
        channels = apprise.Apprise()
        invalid = [number for number, url in enumerate(urls, 1) if not channels.add(url)]
        if invalid:
            return False, f"Apprise can't read address {invalid[0]} of {len(urls)}"
        for channel in channels:
            if channel.overflow_mode == apprise.OverflowMode.UPSTREAM:  # services refuse what is too long for them
                channel.overflow_mode = apprise.OverflowMode.SPLIT
        # As plain text: Apprise escapes what the format of each channel would interpret, and keeps the lines.
        kind, text = apprise.NotifyType(message["type"]), apprise.NotifyFormat.TEXT
        if not channels.notify(title=message["title"], body=message["body"], notify_type=kind, body_format=text):
            return False, "the alert could not be delivered to all addresses"
        return True, None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
