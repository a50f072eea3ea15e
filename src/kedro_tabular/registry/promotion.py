"""What follows from the gate's verdict on a registered version: its tags, its description and its alias."""

import logging
import os
from collections.abc import Mapping
from typing import Any

from mlflow.tracking import MlflowClient

from .aliases import (
    CHALLENGER,
    CHAMPION,
    GATE,
    GATE_CHAMPION,
    GATE_FAILED,
    GATE_POOLED,
    REFUSED,
    ROLLED_BACK,
    LockedAliases,
    complete_promotion,
    get_alias_version,
    lock_aliases,
)
from .description import explain_obstacle
from .permissions import may_promote

logger = logging.getLogger(__name__)

MANUAL, NEVER = "manual", "never"  # values of gate.promote, beside auto
EXPERIMENT = "experiment"  # tag of a version with the name of the DVC experiment that registered it
_MAX_RULES = 3  # failed rules in the tag of a version; gate.json and the report have all


def experiment_name(environment: Mapping[str, str] = os.environ) -> str | None:
    """The name of the DVC experiment that this process is a stage of; None outside an experiment."""
    return environment.get("DVC_EXP_NAME") or environment.get("DVC_EXP_BASELINE_REV")


def no_alias_reason(promote: str) -> str | None:
    """Why a version that passed the gate gets no alias by itself; None if it may get one."""
    experiment = experiment_name()
    if experiment:
        return f"it belongs to the experiment {experiment}"
    return "gate.promote is never" if promote == NEVER else None


def deploy(name: str, version: str, gate: dict[str, Any]) -> None:
    """Tag a version with the gate's verdict, and move the aliases as the verdict and `gate.promote` say.

    The version becomes champion only if the champion is still the one that it was compared with. Else, and if it has
    been rolled back before, it becomes challenger. A version of an experiment gets no alias. Its description says why a
    version did not become champion.

    Raises:
        PromotionError: the registry took too long.
    """
    title, forbidden = f"{name} version {version}", no_alias_reason(gate["promote"])
    if get_alias_version(name, CHAMPION) == version:  # a run is repeated, and has compared its version with itself
        logger.info("%s is champion already", title)
        if not forbidden and may_promote(name):
            complete_promotion(name, version)
        return
    _tag_verdict(name, version, gate)
    obstacle: str | None
    if gate["verdict"] == REFUSED:
        obstacle = "refused by the gate"
        logger.warning("%s is refused by the gate: %s", title, _summarize(gate))
        if not forbidden and get_alias_version(name, CHALLENGER) == version and may_promote(name):
            with lock_aliases(name) as aliases:
                aliases.remove_challenger(version)
    elif forbidden:
        obstacle = forbidden
        logger.info("%s passed the gate and gets no alias (%s): kedro promote %s", title, obstacle, version)
    else:
        is_allowed = may_promote(name)
        with lock_aliases(name) as aliases:
            obstacle = _move(aliases, title, version, gate, is_allowed)
    if obstacle:
        _explain(name, version, obstacle)


def _move(aliases: LockedAliases, title: str, version: str, gate: dict[str, Any], is_allowed: bool) -> str | None:
    """Make a version that passed the gate champion or challenger. Returns what kept it from becoming champion."""
    champion, compared = aliases.get(CHAMPION), gate["champion"]
    if champion != compared:
        became = f"version {champion} became champion" if champion else f"version {compared} lost the alias champion"
        obstacle = f"{became} during the comparison"
    elif ROLLED_BACK + "at" in aliases.tags(version):
        obstacle = "it was rolled back"
    elif gate["promote"] == MANUAL:
        obstacle = "gate.promote is manual"
    elif not is_allowed:
        obstacle = "its user may not promote: the permission MANAGE on the registered model is missing"
    else:
        aliases.promote(version, f"passed the gate against version {champion}" if champion else "first version")
        logger.info("%s passed the gate and is champion", title)
        return None
    waiting = aliases.set_challenger(version)
    state = "is challenger" if waiting == version else f"gets no alias, because version {waiting} is challenger"
    logger.info("%s passed the gate and %s (%s): kedro promote %s", title, state, obstacle, version)
    return obstacle


def verdict_tags(gate: dict[str, Any]) -> dict[str, str]:
    """The tags of a version with the gate's verdict."""
    tags = {GATE: gate["verdict"], GATE_FAILED: _summarize(gate), GATE_CHAMPION: gate["champion"] or "none"}
    found = (gate.get("pooled") or {}).get("found")
    return tags | ({GATE_POOLED: found} if found else {})


def _tag_verdict(name: str, version: str, gate: dict[str, Any]) -> None:
    client = MlflowClient()
    known = client.get_model_version(name, version).tags
    for tag, value in verdict_tags(gate).items():
        if known.get(tag) != value:  # it is another verdict on a version that is registered already
            client.set_model_version_tag(name, version, tag, value)


def _explain(name: str, version: str, obstacle: str) -> None:
    """Write into a version's description why it did not become champion, unless somebody has written one."""
    client = MlflowClient()
    explained = explain_obstacle(client.get_model_version(name, version).description, obstacle)
    if explained is not None:
        client.update_model_version(name, version, explained)


def _summarize(gate: dict[str, Any]) -> str:
    """The names of the failed rules, of which it counts those beyond the first."""
    failed = [rule["rule"] for rule in gate["rules"] if not rule["passed"]]
    more = f" and {len(failed) - _MAX_RULES} more" if len(failed) > _MAX_RULES else ""
    return ", ".join(failed[:_MAX_RULES]) + more
