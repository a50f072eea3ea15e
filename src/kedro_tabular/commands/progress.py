"""What is shown while a pipeline runs for many models."""

import time
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.table import Table

from .terminal import make_console, make_table

if TYPE_CHECKING:
    from .. import models

_STATES = {"passed": "green", "ok": "green", "refused": "yellow", "alert": "yellow", "failed": "red"}


class Progress:
    """A table that lives while the processes run; lines where there is no terminal."""

    def __init__(self, names: list[str], metric: str) -> None:
        self._metric, self._console = metric, make_console()
        self._rows = {name: ["waiting", "", "", "", ""] for name in names}
        self._started: dict[str, float] = {}
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.update(self._table())
            self._live.stop()

    def show(self, event: "models.Event") -> None:
        """Show what happened."""
        started = self._started.setdefault(event.model, time.monotonic())
        row = [event.node or "running", "", "", "", ""]
        if event.outcome is not None:
            outcome, metric = event.outcome, event.outcome.metrics.get(self._metric)
            state = "failed" if outcome.reason else outcome.verdict
            seconds = f"{time.monotonic() - started:.1f} s"
            value = "" if metric is None else f"{metric:.4f}"
            row = [state, outcome.version, value, outcome.against_pooled, seconds]
        self._rows[event.model] = row
        if self._live:
            self._live.update(self._table())
        elif event.outcome is not None:
            self._console.print("  ".join([event.model, *filter(None, row)]), highlight=False)

    def _table(self) -> Table:
        table = make_table("", "Model", "State", "Version", self._metric, "Than pooled", "Time")
        for name, row in self._rows.items():
            table.add_row(name, *row, style=_STATES.get(row[0], ""))
        return table
