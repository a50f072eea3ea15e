"""A lock on the aliases of a registered model, between processes on any machines, in any store of MLflow.

MLflow can't move an alias on the condition that nobody has moved it meanwhile, so a process that moves aliases first
excludes all others, by the one-bit algorithm (Lamport, The mutual exclusion problem, 1986). Each process raises a
claim, a tag of the registered model that no other process writes, and then reads the claims of the others. If there are
none, it has the lock. Else it waits: with its claim raised if that is the earliest, with its claim withdrawn if not. Of
two processes, the one that raised its claim later sees the other's, so both can't have the lock.

The store must only show a tag to all as soon as it is written, which a replica of a database does not. Clocks may
differ: the claim of a killed process expires when a waiting process has seen it unchanged for `LIMIT` seconds. A
process that has had the lock for half as long makes no further change.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple
from uuid import uuid4

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

logger = logging.getLogger(__name__)

LIMIT = 60.0  # seconds; not a setting of one project, because other projects may use the store
CLAIM = "lock."  # prefix of the tags
_PAUSE = 0.2  # seconds between two looks at the claims of the others


class Lock(NamedTuple):
    """The lock while it is held; `until` is a monotonic time."""

    until: float

    @property
    def expired(self) -> bool:
        """Whether it is too late for a change, because other processes may soon take the holder for killed."""
        return time.monotonic() > self.until


@contextmanager
def hold(name: str, owner: str) -> Iterator[Lock]:
    """Hold the lock of a registered model within the block. Waits while another process holds it.

    Those who wait are told the `owner`.
    """
    claims = _Claims(name, owner)
    try:
        yield claims.acquire()
    finally:
        if claims.raised:
            claims.withdraw()


class _Claim(NamedTuple):
    """The claim of another process, first seen with this value at the monotonic time `since`."""

    value: str
    owner: str
    limit: float
    since: float

    @classmethod
    def parse(cls, value: str, since: float) -> "_Claim":
        content = json.loads(value)
        return cls(value, content["owner"], content["limit"], since)


class _Claims:
    """The claims on the lock of a registered model, as one process sees them."""

    def __init__(self, name: str, owner: str) -> None:
        self._name, self._owner, self._client = name, owner, MlflowClient()
        self._own = f"{CLAIM}{time.time_ns():020}.{uuid4().hex[:8]}"  # claims are ordered by their names
        self._others: dict[str, _Claim] = {}
        self.raised = False

    def acquire(self) -> Lock:
        told = False
        for turn in count():
            raised = time.monotonic()
            self._raise(turn)
            others = self._read_others()
            if not others:
                break
            if not told:
                owners = ", ".join(sorted({claim.owner for claim in others.values()}))
                logger.info("waiting for %s to move the aliases of %s", owners, self._name)
                told = True
            if min(others) < self._own:
                self.withdraw()
                while min(self._read_others(), default=self._own) < self._own:
                    time.sleep(_PAUSE)
            else:
                time.sleep(_PAUSE)
        return Lock(raised + LIMIT / 2)

    def withdraw(self) -> None:
        """Delete the own claim; if that fails, it expires."""
        try:
            self._client.delete_registered_model_tag(self._name, self._own)
        except MlflowException as error:
            logger.warning("the lock on the aliases of %s stays for %.0f seconds: %s", self._name, LIMIT, error)

    def _raise(self, turn: int) -> None:
        """Write the own claim; another value each time tells the others that this process is alive."""
        value = json.dumps({"owner": self._owner, "limit": LIMIT, "turn": turn})
        self._client.set_registered_model_tag(self._name, self._own, value)
        self.raised = True

    def _read_others(self) -> dict[str, _Claim]:
        """The claims of the other processes, without those that have expired, which are deleted."""
        # get_registered_model would read all versions of the model, too
        (model,) = self._client.search_registered_models(f"name = '{self._name}'")
        now, living = time.monotonic(), {}
        for key, value in model.tags.items():
            if not key.startswith(CLAIM) or key == self._own:
                continue
            known = self._others.get(key)
            claim = known if known is not None and known.value == value else _Claim.parse(value, now)
            if now - claim.since <= claim.limit:
                living[key] = claim
            else:
                logger.warning("%s was killed, or hangs, while it moved the aliases of %s", claim.owner, self._name)
                self._client.delete_registered_model_tag(self._name, key)
        self._others = living
        return living
