"""Which version is deployed: the aliases of a registered model, and the only code that moves them.

`champion` serves, `previous` is the champion before it, `challenger` is the newest version that passed the
gate and waits for a person. A version keeps as tags who moved it, when and why.
"""

import getpass
from datetime import UTC, datetime
from typing import NamedTuple

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
GATE, GATE_FAILED, GATE_CHAMPION = "gate", "gate.failed", "gate.champion"  # tags of a version
PASSED, REFUSED = "passed", "refused"
PROMOTED, ROLLED_BACK = "promoted.", "rolled_back."


class PromotionError(RuntimeError):
    """An alias that can't be moved; the message says why and what to do."""


class Move(NamedTuple):
    """A champion that took the place of another, which is None for the first."""

    champion: str
    before: str | None


def get_alias_version(name: str, alias: str) -> str | None:
    """The number of the version that has an alias; None where there is none."""
    try:
        return str(MlflowClient().get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        # What MLflow answers for a missing alias differs from what it answers for a missing model.
        if error.error_code not in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
            raise
        return None


def promote(name: str, version: str, reason: str) -> Move:
    """Make a version champion, and the champion `previous`. Killed half-way, the champion is the old one."""
    client = MlflowClient()
    before = get_alias_version(name, CHAMPION)
    if before == version:
        return Move(version, before)
    _sign(name, version, PROMOTED, reason)
    if before is not None:
        client.set_registered_model_alias(name, PREVIOUS, before)
    client.set_registered_model_alias(name, CHAMPION, version)
    if get_alias_version(name, CHALLENGER) == version:
        client.delete_registered_model_alias(name, CHALLENGER)
    return Move(version, before)


def challenge(name: str, version: str) -> None:
    """Let a version that passed the gate wait for `kedro promote`."""
    MlflowClient().set_registered_model_alias(name, CHALLENGER, version)


def rollback(name: str, reason: str) -> Move:
    """Make the version before the champion champion again.

    Raises:
        PromotionError: there is nothing to go back to.
    """
    client = MlflowClient()
    champion, previous = get_alias_version(name, CHAMPION), get_alias_version(name, PREVIOUS)
    if champion is None or previous in (None, champion):
        raise PromotionError(
            f"there is nothing to go back to: {name} has no version that was champion before "
            f"{'version ' + champion if champion else 'now'}. See `kedro models`: kedro promote VERSION"
        )
    assert previous is not None
    _sign(name, champion, ROLLED_BACK, reason)
    client.set_registered_model_alias(name, CHAMPION, previous)
    client.delete_registered_model_alias(name, PREVIOUS)
    return Move(previous, champion)


def _sign(name: str, version: str, act: str, reason: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for what, value in {"by": _user(), "at": now, "reason": reason}.items():
        MlflowClient().set_model_version_tag(name, version, act + what, value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        return "unknown"
