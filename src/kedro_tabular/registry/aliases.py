"""Which version is deployed: the aliases of a registered model, and the only code that moves them.

`champion` is served, `previous` is the champion before it, `challenger` is the newest version that passed the gate and
waits for `kedro promote`. Tags of a version record who moved it, when and why. Aliases are read by all, and moved only
by the process that holds the lock of the registered model.
"""

import getpass
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from . import lock
from .permissions import check_may_promote, is_missing

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
GATE, GATE_FAILED, GATE_CHAMPION = "gate", "gate.failed", "gate.champion"  # tags of a version
GATE_POOLED = "gate.pooled"  # of one for some rows: better or worse than the model of all rows
PASSED, REFUSED = "passed", "refused"
PROMOTED, ROLLED_BACK = "promoted.", "rolled_back."  # prefixes of tags


class PromotionError(RuntimeError):
    """An alias that can't be moved; the message says why and what to do."""


class ChampionChange(NamedTuple):
    """The new champion, and the champion before it; None if it is the first."""

    champion: str
    before: str | None


def get_alias_version(name: str, alias: str) -> str | None:
    """The number of the version with an alias; None if there is none."""
    try:
        return str(MlflowClient().get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        # MLflow has one error code for a missing alias and another for a missing model.
        if error.error_code != "INVALID_PARAMETER_VALUE" and not is_missing(error, name):
            raise
        return None


def promote(name: str, version: str, reason: str) -> ChampionChange:
    """Make a version champion, whichever version is champion now.

    Raises:
        PromotionError: it took too long, see `lock_aliases`.
    """
    check_may_promote(name)
    with lock_aliases(name) as aliases:
        return aliases.promote(version, reason)


def complete_promotion(name: str, version: str) -> None:
    """Complete the tags and aliases of a champion whose promotion was interrupted."""
    with lock_aliases(name) as aliases:
        if aliases.get(CHAMPION) == version:
            aliases.promote(version, "passed the gate")


def rollback(name: str, reason: str, check: Callable[[str], None] = lambda version: None) -> ChampionChange:
    """Make the previous champion champion again.

    Args:
        name: the registered model.
        reason: stored with the version that is replaced.
        check: called with the version that is to become champion; if it raises an error, nothing changes.

    Raises:
        PromotionError: there is no previous champion, the champion changes at the same time, or it took too long.
    """
    champion = get_alias_version(name, CHAMPION)
    if champion is None:
        raise _nothing_to_go_back_to(name, champion)
    check_may_promote(name)
    with lock_aliases(name) as aliases:
        if aliases.get(CHAMPION) != champion:  # while this process waited for the lock
            raise PromotionError(f"version {champion} of {name} is no longer champion: see `kedro models`")
        previous = aliases.get(PREVIOUS)
        if previous in (None, champion):
            raise _nothing_to_go_back_to(name, champion)
        check(previous)
        return aliases.roll_back(ChampionChange(previous, champion), reason)


def _nothing_to_go_back_to(name: str, champion: str | None) -> PromotionError:
    return PromotionError(
        f"there is nothing to go back to: {name} has no version that was champion before "
        f"{'version ' + champion if champion else 'now'}. See `kedro models`: kedro promote VERSION"
    )


@contextmanager
def lock_aliases(name: str) -> Iterator["LockedAliases"]:
    """Exclude all other processes from moving aliases of a registered model within the block.

    Raises:
        PromotionError: the block took so long that another process may have moved aliases, too.
    """
    with lock.hold(name, f"{_user()}@{socket.gethostname()}") as held:
        aliases = LockedAliases(name, held)
        yield aliases
        aliases.check()


class LockedAliases:
    """The aliases of a registered model while this process holds the lock on them.

    If the process is killed between two calls, the champion is the old or the new one, and a repetition completes what
    is missing.
    """

    def __init__(self, name: str, held: lock.Lock) -> None:
        self._name, self._lock, self._client = name, held, MlflowClient()

    def check(self) -> None:
        """Raise PromotionError if the lock has been held for too long."""
        if self._lock.expired:
            raise PromotionError(
                f"the registry took too long to move the aliases of {self._name}, so that another process may have "
                "moved them too: see `kedro models`, then repeat the command"
            )

    def get(self, alias: str) -> str | None:
        """The number of the version with an alias; None if there is none."""
        return get_alias_version(self._name, alias)

    def tags(self, version: str) -> dict[str, str]:
        """The tags of a version."""
        return dict(self._client.get_model_version(self._name, version).tags)

    def promote(self, version: str, reason: str) -> ChampionChange:
        """Make a version champion, and the champion `previous`."""
        before = self.get(CHAMPION)
        if before != version:
            if before is not None:
                self._set(PREVIOUS, before)
            self._set(CHAMPION, version)
        if before != version or PROMOTED + "reason" not in self.tags(version):
            self._tag(version, PROMOTED, reason)
        if self.get(CHALLENGER) in (version, before):  # neither waits
            self._delete(CHALLENGER)
        return ChampionChange(version, before)

    def roll_back(self, change: ChampionChange, reason: str) -> ChampionChange:
        """Make the previous champion champion again; there is no previous one then."""
        self._tag(str(change.before), ROLLED_BACK, reason)  # first: a version with this tag is not promoted by the gate
        self._set(CHAMPION, change.champion)
        self._delete(PREVIOUS)
        return change

    def set_challenger(self, version: str) -> str:
        """Make a version wait for `kedro promote`, unless a newer one does. Returns the challenger."""
        waiting = self.get(CHALLENGER)
        if waiting is not None and int(waiting) > int(version):
            return waiting
        self._set(CHALLENGER, version)
        return version

    def remove_challenger(self, version: str) -> None:
        """Let a version no longer wait for `kedro promote`."""
        if self.get(CHALLENGER) == version:
            self._delete(CHALLENGER)

    def _set(self, alias: str, version: str) -> None:
        self.check()
        self._client.set_registered_model_alias(self._name, alias, version)

    def _delete(self, alias: str) -> None:
        self.check()
        self._client.delete_registered_model_alias(self._name, alias)

    def _tag(self, version: str, prefix: str, reason: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for key, value in {"by": _user(), "at": now, "reason": reason}.items():
            self.check()
            self._client.set_model_version_tag(self._name, version, prefix + key, value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "unknown"
