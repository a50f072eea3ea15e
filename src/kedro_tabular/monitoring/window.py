"""The time window that is monitored."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple, TypeVar

import pandas as pd

from ..contract import to_local, to_utc
from ..parameters import ParameterError

Parsed = TypeVar("Parsed")


class Window(NamedTuple):
    """A time span in the contract's time zone, by its time column; without one, by the time of the prediction."""

    since: datetime
    until: datetime  # exclusive
    zone: tzinfo = UTC

    def in_utc(self) -> tuple[datetime, datetime]:
        """The start and the end in UTC."""
        return to_utc(self.since, self.zone), to_utc(self.until, self.zone)

    def to_local(self, time: datetime) -> datetime:
        """A time in UTC, converted to the time zone of the window."""
        return to_local(time.replace(tzinfo=UTC), self.zone)


def resolve_window(window: str, since: str | None, until: str | None, month: str | None, zone: tzinfo = UTC) -> Window:
    """The month, or the span from `since` to `until`, or the window that ends at `until` or now, in a time zone.

    Raises:
        ParameterError: a value can't be parsed, the values contradict each other, or the span is empty.
    """
    if month is not None:
        if since is not None or until is not None:
            raise ParameterError("month can be combined with neither since nor until")
        start = _parse("month", month, lambda text: datetime.strptime(text, "%Y-%m"), "2013-11")
        return Window(start, (pd.Timestamp(start) + pd.DateOffset(months=1)).to_pydatetime(), zone)

    def parse_time(text: str) -> datetime:
        return to_local(datetime.fromisoformat(text), zone)

    end = datetime.now(zone).replace(tzinfo=None) if until is None else _parse("until", until, parse_time, "2013-11-30")
    if since is None:
        start = end - _parse("window", window, _to_duration, "7d or 12h")
    else:
        start = _parse("since", since, parse_time, "2013-11-30")
    if start >= end:
        raise ParameterError(f"the window from {start} to {end} is empty: since must be before until")
    return Window(start, end, zone)


def _parse(name: str, text: str, parse: Callable[[str], Parsed], example: str) -> Parsed:
    try:
        return parse(str(text))
    except ValueError as error:
        raise ParameterError(f"{name}: {text!r} can't be parsed, write it as {example}") from error


def _to_duration(text: str) -> pd.Timedelta:
    duration = pd.Timedelta(text)
    if text.isdigit() or not duration > pd.Timedelta(0):  # a number without a unit would be nanoseconds; also NaT
        raise ValueError
    return duration
