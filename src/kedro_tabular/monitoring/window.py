"""Which span of time is looked at."""

from datetime import UTC, datetime

import pandas as pd

from ..parameters import ParameterError
from .scored import Window


def find_window(window: str, since: str | None, until: str | None, month: str | None) -> Window:
    """The month, or the span from `since` to `until`, or the window that ends at `until` or now (UTC).

    Raises:
        ParameterError: one of them can't be read, they contradict each other, or the span is empty.
    """
    if month is not None:
        if since is not None or until is not None:
            raise ParameterError("month goes with neither since nor until: give the one or the other")
        try:
            start = datetime.strptime(str(month), "%Y-%m")
        except ValueError as error:
            raise ParameterError(f"month: {month!r} is no month, write it as 2013-11") from error
        return Window(start, (pd.Timestamp(start) + pd.DateOffset(months=1)).to_pydatetime())
    end = datetime.now(UTC).replace(tzinfo=None) if until is None else _moment("until", until)
    start = end - _length(window) if since is None else _moment("since", since)
    if start >= end:
        raise ParameterError(f"the window from {start} to {end} is empty: since must be before until")
    return Window(start, end)


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ParameterError(f"{name}: {text!r} is no day or point in time, write 2013-11-30") from error
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _length(text: str) -> pd.Timedelta:
    try:
        length = pd.Timedelta(str(text) if not str(text).isdigit() else "a number without a unit")
    except ValueError as error:
        raise ParameterError(f"window: {text!r} is no length of time, write 7d or 12h") from error
    if pd.isna(length) or length <= pd.Timedelta(0):
        raise ParameterError(f"window: {text!r} is no length of time, write 7d or 12h")
    return length
