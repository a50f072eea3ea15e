"""A table sent through the service in the order of its time, as if the rows came in now, outcomes later."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from ..contract import Contract, ContractError
from .client import Client

_AT_ONCE = 200  # rows of a request


class Span(NamedTuple):
    """The rows of some days in the order of time, from the start of the first day to the end of the last.

    Rows without a time are all of now, and their outcomes become known in time.
    """

    table: pd.DataFrame
    times: pd.Series  # of the rows
    since: pd.Timestamp
    until: pd.Timestamp


class Step(NamedTuple):
    """One point of the replay's clock: positions of the rows to be asked, and of the outcomes to be told."""

    clock: pd.Timestamp
    asked: list[int]
    told: list[int]


def cut(table: pd.DataFrame, contract: Contract, first: datetime | None, last: datetime | None) -> Span:
    """The rows of `table` from the day `first` to the day `last`, both included; None for all there are.

    Raises:
        ContractError: columns are missing, there are no rows on these days, or no rows or days at all.
    """
    time = [contract.time] if contract.time else []
    lacking = [n for n in dict.fromkeys([*time, *contract.columns, contract.target]) if n not in table]
    if lacking:
        raise ContractError(f"the table lacks columns of the contract: {', '.join(lacking)}")
    if contract.time is None:
        if first or last:
            raise ContractError("the rows have no time to choose them by: conf/ names no column as table.time")
        if table.empty:
            raise ContractError("the table has no rows")
        now = pd.Timestamp.now("UTC").tz_localize(None).floor("h")
        return Span(table.reset_index(drop=True), pd.Series(now, range(len(table))), now, pd.Timestamp.max)
    times = table[contract.time]
    if not pd.api.types.is_datetime64_dtype(times):
        raise ContractError(f"the table's {contract.time} is {times.dtype} instead of a date-time")
    if times.isna().all():
        raise ContractError("the table has no rows")
    since = pd.Timestamp(first or times.min()).normalize()
    until = pd.Timestamp(last or times.max()).normalize() + pd.Timedelta(days=1)
    within = table[(times >= since) & (times < until)]
    if within.empty:
        raise ContractError(
            f"there are no rows on these days: the table has {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d}"
        )
    ordered = within.sort_values(contract.time, kind="stable", ignore_index=True)
    return Span(ordered, ordered[contract.time], since, until)


def plan(times: pd.Series, known: pd.Series) -> Iterator[Step]:
    """The hours in which something happens, one after the other.

    Args:
        times: of the rows. Those of one hour are asked together when it begins.
        known: when the outcome of each row becomes known, NaT for never. It is told at the next full hour.
    """
    asked: dict[Any, Any] = times.groupby(times.dt.floor("h")).indices
    told: dict[Any, Any] = known.groupby(known.dt.ceil("h")).indices
    for clock in sorted(asked.keys() | told.keys()):
        yield Step(clock, list(asked.get(clock, [])), list(told.get(clock, [])))


class Replay:
    """A span on its way through a server.

    Args:
        client: the server.
        span: what is sent.
        contract: names the inputs and the target, which is never among them.
        keys: other columns that tell one case from another; those that the table has are sent, too.
        most: rows that the server takes at once.

    Attributes:
        versions: how many rows each version has answered.
        by_fallback: how many of all these the fallback has answered.
        outcomes: how many outcomes were sent.
    """

    def __init__(self, client: Client, span: Span, contract: Contract, keys: list[str], most: int) -> None:
        self._client, self._span, self._contract = client, span, contract
        named = dict.fromkeys([*contract.columns, contract.time, *keys])
        self._inputs = [name for name in named if name in span.table and name != contract.target]
        self._at_once = min(most, _AT_ONCE)
        self._identifiers: dict[int, str] = {}  # of the rows whose outcome is still to come
        self.versions: Counter[str] = Counter()
        self.by_fallback = self.outcomes = 0

    def run(self, outcomes_after: pd.Timedelta, speed: float = 0) -> Iterator[pd.Timestamp]:
        """Send all, and yield the clock after each step.

        Args:
            outcomes_after: how long after the time of its row an outcome becomes known. What is not known by
                the end of the span is not sent.
            speed: how many times faster than real time the clock runs; 0 for as fast as the server answers.

        Raises:
            RefusedError: the server answers with an error.
            requests.RequestException: it does not answer.
        """
        times = self._span.times
        known = times + outcomes_after
        sent = (known <= self._span.until) & self._span.table[self._contract.target].notna()
        began, start = time.monotonic(), times.iloc[0].floor("h")
        for step in plan(times, known.where(sent)):
            if speed:
                wait = (step.clock - start).total_seconds() / speed - (time.monotonic() - began)
                time.sleep(max(wait, 0))
            for positions in self._parts(step.asked):
                self._ask(positions)
            for positions in self._parts(step.told):
                self._tell(positions)
            yield step.clock

    @property
    def answered(self) -> int:
        """How many rows are answered so far."""
        return self.versions.total()

    def _parts(self, positions: list[int]) -> Iterator[list[int]]:
        for first in range(0, len(positions), self._at_once):
            yield positions[first : first + self._at_once]

    def _ask(self, positions: list[int]) -> None:
        rows = self._span.table[self._inputs].iloc[positions].astype(object)
        records = rows.where(rows.notna(), None).to_dict(orient="records")
        answered = self._client.post("/predict", {"records": records})
        predictions: list[dict[str, Any]] = answered["predictions"]
        self._identifiers |= zip(positions, (row["id"] for row in predictions), strict=True)
        self.versions[answered["version"]] += len(predictions)
        self.by_fallback += sum(row["source"] == "fallback" for row in predictions)

    def _tell(self, positions: list[int]) -> None:
        values = self._span.table[self._contract.target].iloc[positions].tolist()
        outcomes = [
            {"id": self._identifiers.pop(position), "outcome": value}
            for position, value in zip(positions, values, strict=True)
        ]
        self._client.post("/outcomes", {"outcomes": outcomes})
        self.outcomes += len(outcomes)
