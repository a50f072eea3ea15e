"""A client of the service, and the replay of a table: rows in the order of their time, and their outcomes later."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd
import requests

from ..contract import Contract, ContractError, to_datetimes
from .log.records import as_json

_MAX_ROWS = 200  # of a request


class ResponseError(Exception):
    """The service responded with an error; the message is that of the response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """A client that keeps its connection to a server open; `timeout` is in seconds."""

    def __init__(self, url: str, api_key: str | None, timeout: float) -> None:
        self._url, self._timeout = url.rstrip("/"), timeout
        self._session = requests.Session()
        self._headers: dict[str, str | bytes] = {"content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}".encode()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a JSON body and return that of the response.

        Raises:
            ResponseError: the response is an error.
            requests.RequestException: there is no response, or it is not JSON.
        """
        response = self._session.post(self._url + path, as_json(body), headers=self._headers, timeout=self._timeout)
        if not response.ok:
            raise ResponseError(response.status_code, _error_message(response))
        parsed: dict[str, Any] = response.json()
        return parsed


def _error_message(response: requests.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):  # not from this service
        return f"{response.status_code} {response.reason}"


class ReplayPeriod(NamedTuple):
    """The rows of some days in the order of time, from the start of the first day to the end of the last.

    Rows of a table without a time all have the present time, and all their outcomes become known in the period.
    """

    table: pd.DataFrame
    times: pd.Series  # of the rows
    since: pd.Timestamp
    until: pd.Timestamp


def select_period(
    table: pd.DataFrame, contract: Contract, first: datetime | None, last: datetime | None
) -> ReplayPeriod:
    """The rows of a table from the day `first` to the day `last`, both included; None for all.

    Raises:
        ContractError: columns are missing, the table has no time to select days by, or there are no rows.
    """
    required = dict.fromkeys([*([contract.time] if contract.time else []), *contract.columns, contract.target])
    missing = [name for name in required if name not in table]
    if missing:
        raise ContractError(f"the table lacks columns of the contract: {', '.join(missing)}")
    if contract.time is None:
        if first or last:
            raise ContractError("the rows have no time to select days by: conf/ names no column as table.time")
        if table.empty:
            raise ContractError("the table has no rows")
        now = pd.Timestamp.now(contract.zone).tz_localize(None).floor("h")
        return ReplayPeriod(table.reset_index(drop=True), pd.Series(now, range(len(table))), now, pd.Timestamp.max)
    times = table[contract.time]
    if not pd.api.types.is_datetime64_any_dtype(times):
        raise ContractError(f"the column {contract.time} of the table is {times.dtype} instead of a date-time")
    times = to_datetimes(times, None, contract.zone)
    table = table.assign(**{contract.time: times})
    if times.isna().all():
        raise ContractError("the table has no rows")
    since = pd.Timestamp(first or times.min()).normalize()
    until = pd.Timestamp(last or times.max()).normalize() + pd.Timedelta(days=1)
    selected = table[(times >= since) & (times < until)]
    if selected.empty:
        days = f"{times.min():%Y-%m-%d} to {times.max():%Y-%m-%d}"
        raise ContractError(f"there are no rows on these days: the table has {days}")
    ordered = selected.sort_values(contract.time, kind="stable", ignore_index=True)
    return ReplayPeriod(ordered, ordered[contract.time], since, until)


class Replay:
    """Sends the rows of a period to a server, `max_rows` of them at most in one request.

    Features, the time and the key columns of the prediction log are sent, the target never with them.
    """

    def __init__(
        self, client: Client, period: ReplayPeriod, contract: Contract, keys: list[str], max_rows: int
    ) -> None:
        self._client, self._period, self._target = client, period, contract.target
        names = dict.fromkeys([*contract.columns, contract.time, *keys])
        self._inputs = [name for name in names if name in period.table and name != contract.target]
        self._max_rows = min(max_rows, _MAX_ROWS)
        self._ids: dict[int, str] = {}  # of the rows whose outcome is not sent yet
        self.rows_by_version: Counter[str] = Counter()  # predicted rows
        self.fallback_rows = 0  # those of them that the fallback has predicted
        self.outcomes = 0  # that were sent

    @property
    def rows(self) -> int:
        """The number of rows that are predicted so far."""
        return self.rows_by_version.total()

    def run(self, outcomes_after: pd.Timedelta, speed: float = 0) -> Iterator[pd.Timestamp]:
        """Send all rows and outcomes, and yield each hour after its requests.

        Args:
            outcomes_after: how long after the time of its row an outcome becomes known. Those that are not known
                by the end of the period are not sent.
            speed: the factor to real time; 0 for as fast as the server responds.

        Raises:
            ResponseError: the server responds with an error.
            requests.RequestException: the server does not respond.
        """
        times = self._period.times
        known = times + outcomes_after
        known = known.where((known <= self._period.until) & self._period.table[self._target].notna())
        # the rows of an hour are sent together at its start, an outcome at the full hour after it becomes known
        rows: dict[Any, Any] = times.groupby(times.dt.floor("h")).indices
        outcomes: dict[Any, Any] = known.groupby(known.dt.ceil("h")).indices
        started, start = time.monotonic(), times.iloc[0].floor("h")
        for hour in sorted(rows.keys() | outcomes.keys()):
            if speed:
                wait = (hour - start).total_seconds() / speed - (time.monotonic() - started)
                time.sleep(max(wait, 0))
            for positions in self._chunks(list(rows.get(hour, []))):
                self._send_rows(positions)
            for positions in self._chunks(list(outcomes.get(hour, []))):
                self._send_outcomes(positions)
            yield hour

    def _chunks(self, positions: list[int]) -> Iterator[list[int]]:
        for first in range(0, len(positions), self._max_rows):
            yield positions[first : first + self._max_rows]

    def _send_rows(self, positions: list[int]) -> None:
        rows = self._period.table[self._inputs].iloc[positions].astype(object)
        records = rows.where(rows.notna(), None).to_dict(orient="records")
        response = self._client.post("/predict", {"records": records})
        predictions: list[dict[str, Any]] = response["predictions"]
        self._ids |= zip(positions, (row["id"] for row in predictions), strict=True)
        for row in predictions:  # a service with many models says it of each row
            version = f"version {response['version']}" if "version" in response else f"{row['model']}/{row['version']}"
            self.rows_by_version[version] += 1
        self.fallback_rows += sum(row["source"] == "fallback" for row in predictions)

    def _send_outcomes(self, positions: list[int]) -> None:
        values = self._period.table[self._target].iloc[positions].tolist()
        outcomes = [{"id": self._ids.pop(i), "outcome": value} for i, value in zip(positions, values, strict=True)]
        self._client.post("/outcomes", {"outcomes": outcomes})
        self.outcomes += len(outcomes)
