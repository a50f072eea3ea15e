"""Alerts on their way to people, and what they have been told already."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

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

    def __init__(
        self, filepath: str, variable: str, dry_run: bool, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath, self._variable, self._dry_run = Path(filepath), variable, dry_run
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """How each alert stands; empty at first."""
        if not self._filepath.exists():
            return {}
        state: dict[str, Any] = json.loads(self._filepath.read_text())
        return state

    def save(self, data: dict[str, Any]) -> None:
        """Send the message, if any. What could not be told counts as not told, and is sent the next time.

        Args:
            data: `state`, `message` and `told`, as `decide_alerts` gives them.

        Raises:
            DatasetError: the message could not be delivered.
        """
        message = data["message"]
        if self._dry_run:
            logger.info("dry run, this would be sent: %s", message or "nothing")
            return
        delivered = message is None or self._send(message)
        state = dict(data["state"])
        for key in data["told"] if delivered else []:
            if state[key]["raised"]:
                state[key] = state[key] | {"told": True}
            else:
                del state[key]
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        partial = self._filepath.with_name(self._filepath.name + ".partial")
        partial.write_text(json.dumps(state, indent=2))
        partial.replace(self._filepath)
        if delivered is False:
            raise DatasetError(
                f"the alert could not be delivered to all addresses of {self._variable}; it is sent again "
                "the next time"
            )

    def _send(self, message: dict[str, str]) -> bool | None:
        """Whether it was delivered; None where there is nobody to tell."""
        urls = os.environ.get(self._variable, "").split()
        if not urls:
            logger.info("nobody is told of %s: no addresses in %s", message["title"], self._variable)
            return None
        import apprise  # only where it is used: it knows more than a hundred services

        channels = apprise.Apprise()
        wrong = [number for number, url in enumerate(urls, 1) if not channels.add(url)]
        if wrong:  # not the address itself, which holds secrets
            raise DatasetError(
                f"address {wrong[0]} of {len(urls)} in {self._variable} is none that Apprise can read"
            )
        return bool(channels.notify(title=message["title"], body=message["body"]))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
