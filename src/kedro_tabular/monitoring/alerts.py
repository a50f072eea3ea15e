"""Who has to be told what: new alerts once, and recoveries."""

from typing import Any

from ..contract import Contract
from .settings import Alerts

_TOLD = 8  # lines of a message


def decide_alerts(
    monitoring: dict[str, Any],
    alert_state: dict[str, Any],
    monitoring_report: str,
    contract: dict[str, Any],
    alerts: dict[str, Any],
) -> dict[str, Any]:
    """Compare what is found now with what is known.

    Args:
        monitoring: the verdict.
        alert_state: by alert, how it stands: `windows` in a row that do not overlap, whether it was `told`,
            what it `says`. A window that ends before the newest one known changes nothing.
        monitoring_report: only so that it is written before anybody is told to read it.
        contract: `params:table`.
        alerts: `params:alerts`.

    Returns:
        `state`, the new one; `message` with `title` and `body`, or None; and `told`, the alerts it is about.
    """
    del monitoring_report
    since, until = monitoring["window"]["since"], monitoring["window"]["until"]
    newest = max((known["until"] for known in alert_state.values()), default="")
    if monitoring["verdict"] == "none" or until < newest:  # nothing is known of now
        return {"state": alert_state, "message": None, "told": []}
    rules = {rule.check: rule for rule in Alerts.read("alerts", alerts).rules}
    state: dict[str, Any] = {}
    for finding in monitoring["findings"]:
        known = alert_state.get(_key(finding), {"windows": 0, "counted": "", "told": False})
        again = since < known["counted"]  # it overlaps the last one that counted
        state.setdefault(
            _key(finding),
            {
                "raised": True,
                "windows": known["windows"] + (not again),
                "counted": known["counted"] if again else until,
                "until": until,
                "told": known["told"],
                "check": finding["check"],
                "says": f"{finding['subject']}: {finding['says']}",
            },
        )
    for key, known in alert_state.items():
        if key in state:
            continue
        if not _was_judged(key, known["check"], monitoring):  # as where outcomes have not come yet
            state[key] = known | {"until": until}
        elif known["told"]:
            state[key] = known | {"raised": False, "windows": 0, "counted": "", "until": until}
    waiting = {key: known for key, known in state.items() if known["raised"] and not known["told"]}
    new = [key for key, known in waiting.items() if known["windows"] >= rules[known["check"]].windows]
    over = [key for key, known in state.items() if not known["raised"]]
    message = _write(monitoring, Contract.from_parameters(contract).name, state, new, over)
    return {"state": state, "message": message, "told": new + over}


def _key(finding: dict[str, Any]) -> str:
    return f"{finding['check']} {finding['subject']}"


def _was_judged(key: str, check: str, monitoring: dict[str, Any]) -> bool:
    """Whether this window says anything of it. A reason that is gone has no finding of its own any more."""
    judged = [finding for seen in monitoring["versions"].values() for finding in seen["findings"]]
    return any(_key(finding) == key or finding["check"] == check == "reason" for finding in judged)


def _write(
    monitoring: dict[str, Any], model: str, state: dict[str, Any], new: list[str], over: list[str]
) -> dict[str, str] | None:
    if not new and not over:
        return None
    counts = [f"{len(new)} new" if new else "", f"{len(over)} over" if over else ""]
    standing = sum(entry["raised"] and entry["told"] for entry in state.values())
    counts.append(f"{standing} as before" if standing else "")
    window = monitoring["window"]
    lines = [f"{window['since']} to {window['until']} (UTC)"]
    for title, keys in (("Moved:", new), ("Recovered:", over)):
        if keys:
            lines += ["", title, *(f"- {state[key]['says']}" for key in keys[:_TOLD])]
            lines += [f"- and {len(keys) - _TOLD} more"] if len(keys) > _TOLD else []
    span = f"since='{window['since']}',until='{window['until']}'"
    lines += ["", f'To look further: kedro run --pipeline=monitoring --params "{span}"']
    lines.append("and open data/08_reporting/monitoring.html")
    return {"title": f"{model}: " + ", ".join(filter(None, counts)), "body": "\n".join(lines)}
