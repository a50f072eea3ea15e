"""Which version is deployed: the aliases of a registered model, and the only code that moves them.

`champion` is served, `previous` is the champion before it, `challenger` is the newest version that passed the gate and
waits for `kedro promote`. Tags of a version record who moved it, when and why.
"""

import getpass
from datetime import UTC, datetime
from typing import NamedTuple

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
GATE, GATE_FAILED, GATE_CHAMPION = "gate", "gate.failed", "gate.champion"  # tags of a version
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
        if error.error_code not in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
            raise
        return None


def promote(name: str, version: str, reason: str) -> ChampionChange:
    """Make a version champion, and the champion `previous`. If killed in between, the old champion stays."""
    client = MlflowClient()
    before = get_alias_version(name, CHAMPION)
    if before == version:
        return ChampionChange(version, before)
    _tag(name, version, PROMOTED, reason)
    if before is not None:
        client.set_registered_model_alias(name, PREVIOUS, before)
    client.set_registered_model_alias(name, CHAMPION, version)
    if get_alias_version(name, CHALLENGER) == version:
        client.delete_registered_model_alias(name, CHALLENGER)
    return ChampionChange(version, before)


def set_challenger(name: str, version: str) -> None:
    """Make a version that passed the gate wait for `kedro promote`."""
    MlflowClient().set_registered_model_alias(name, CHALLENGER, version)


def rollback(name: str, reason: str) -> ChampionChange:
    """Make the previous champion champion again.

    Raises:
        PromotionError: there is no previous champion.
    """
    client = MlflowClient()
    champion, previous = get_alias_version(name, CHAMPION), get_alias_version(name, PREVIOUS)
    if champion is None or previous is None or previous == champion:
        raise PromotionError(
            f"there is nothing to go back to: {name} has no version that was champion before "
            f"{'version ' + champion if champion else 'now'}. See `kedro models`: kedro promote VERSION"
        )
    _tag(name, champion, ROLLED_BACK, reason)
    client.set_registered_model_alias(name, CHAMPION, previous)
    client.delete_registered_model_alias(name, PREVIOUS)
    return ChampionChange(previous, champion)


def _tag(name: str, version: str, prefix: str, reason: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for key, value in {"by": _user(), "at": now, "reason": reason}.items():
        MlflowClient().set_model_version_tag(name, version, prefix + key, value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "unknown"
