"""Conversion of single date-times. Those without a time zone are in that of the contract, or in UTC in the log."""

from contextlib import suppress
from datetime import UTC, datetime, tzinfo


def to_utc(time: datetime, zone: tzinfo) -> datetime:
    """The time in UTC, without a time zone. One without a time zone is in `zone`."""
    with suppress(OverflowError):  # at the end of the calendar
        time = (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)
    return time.replace(tzinfo=None)


def to_local(time: datetime, zone: tzinfo) -> datetime:
    """The time in `zone`, without a time zone. One without a time zone is in `zone` already."""
    return time if time.tzinfo is None else time.astimezone(zone).replace(tzinfo=None)
