"""Who has to be told what: new alerts once, and recoveries."""

from typing import Any

from ...contract import Contract
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
        alert_state: by alert, how it stands: `windows` in a row, whether it was `told`, what it `says`.
        monitoring_report: only so that it is written before anybody is told to read it.
        contract: `params:table`.
        alerts: `params:alerts`.

    Returns:
        `state`, the new one; `message` with `title` and `body`, or None; and `told`, the alerts it is about.
    """
    del monitoring_report
    if monitoring["verdict"] == "none":  # nothing is known of this window
        return {"state": alert_state, "message": None, "told": []}
    rules = {rule.check: rule for rule in Alerts.read("alerts", alerts).rules}
    window = " to ".join(monitoring["window"].values())
    raised = {f"{found['check']} {found['subject']}": found for found in reversed(monitoring["findings"])}
    state: dict[str, Any] = {}
    for key, finding in reversed(raised.items()):
        known = alert_state.get(key, {"windows": 0, "window": None, "told": False})
        again = known["window"] == window
        windows = known["windows"] if again and known.get("raised", True) else known["windows"] + 1
        state[key] = {
            "raised": True,
            "windows": windows,
            "window": window,
            "told": known["told"],
            "check": finding["check"],
            "says": f"{finding['subject']}: {finding['says']}",
        }
    for key, known in alert_state.items():
        if key not in raised and known["told"]:
            state[key] = known | {"raised": False, "windows": 0}
    waiting = {key: known for key, known in state.items() if known["raised"] and not known["told"]}
    new = [key for key, known in waiting.items() if known["windows"] >= rules[known["check"]].windows]
    over = [key for key, known in state.items() if not known["raised"]]
    message = _write(monitoring, Contract.from_parameters(contract).name, state, new, over)
    return {"state": state, "message": message, "told": new + over}


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
