"""Decides which alerts are sent: each new alert once, and its recovery."""

from typing import Any

from ..contract import Contract
from .settings import Alerts

_MAX_LINES = 8  # of each kind in a message


def decide_alerts(
    monitoring: dict[str, Any],
    alert_state: dict[str, Any],
    monitoring_report: str,
    contract: dict[str, Any],
    alerts: dict[str, Any],
) -> dict[str, Any]:
    """Compare the findings of the verdict with the alerts so far.

    Args:
        alert_state: by alert, whether it is `raised` and was sent (`told`), in how many `windows` in a row that do not
            overlap, the end of the last of these (`counted`), and the end of the last window at all (`until`).
            A window that ends before the newest one so far changes nothing.
        monitoring_report: not used; the report has to be written before a message refers to it.

    Returns:
        The new `state`; `message` with `title` and `body`, or None; and `keys`, the alerts that it is about.
    """
    del monitoring_report
    until = monitoring["window"]["until"]
    newest = max((alert["until"] for alert in alert_state.values()), default="")
    if monitoring["verdict"] == "none" or until < newest:
        return {"state": alert_state, "message": None, "keys": []}
    windows = {rule.check: rule.windows for rule in Alerts.read("alerts", alerts).rules}
    state: dict[str, Any] = {}
    for finding in monitoring["findings"]:
        key = _key(finding)
        state.setdefault(key, _raise_alert(finding, alert_state.get(key), monitoring["window"]))
    for key, alert in alert_state.items():
        if key in state or alert["check"] not in windows:  # its rule was removed
            continue
        if not _is_assessed(key, alert["check"], monitoring):  # for instance, there are no outcomes yet
            state[key] = alert | {"until": until}
        elif alert["told"]:
            state[key] = alert | {"raised": False, "windows": 0, "counted": "", "until": until}
    unsent = {key: alert for key, alert in state.items() if alert["raised"] and not alert["told"]}
    new = [key for key, alert in unsent.items() if alert["windows"] >= windows[alert["check"]]]
    recovered = [key for key, alert in state.items() if not alert["raised"]]
    name = Contract.from_parameters(contract).name
    message = _write_message(name, monitoring["window"], state, new, recovered) if new or recovered else None
    return {"state": state, "message": message, "keys": new + recovered}


def _key(finding: dict[str, Any]) -> str:
    return f"{finding['check']} {finding['subject']}"


def _raise_alert(finding: dict[str, Any], before: dict[str, Any] | None, window: dict[str, str]) -> dict[str, Any]:
    before = before or {"windows": 0, "counted": "", "told": False}
    overlaps = window["since"] < before["counted"]
    return {
        "raised": True,
        "windows": before["windows"] + (not overlaps),
        "counted": before["counted"] if overlaps else window["until"],
        "until": window["until"],
        "told": before["told"],
        "check": finding["check"],
        "says": f"{finding['subject']}: {finding['says']}",
    }


def _is_assessed(key: str, check: str, monitoring: dict[str, Any]) -> bool:
    """Whether the window has a result for an alert. A reason that no row has any more has no finding."""
    findings = [finding for result in monitoring["versions"].values() for finding in result["findings"]]
    return any(_key(finding) == key or finding["check"] == check == "reason" for finding in findings)


def _write_message(
    model: str, window: dict[str, str], state: dict[str, Any], new: list[str], recovered: list[str]
) -> dict[str, str]:
    n_ongoing = sum(alert["raised"] and alert["told"] for alert in state.values())
    counts = {"new": len(new), "recovered": len(recovered), "ongoing": n_ongoing}
    lines = [f"{window['since']} to {window['until']} (UTC)"]
    for title, keys in (("New alerts:", new), ("Recovered:", recovered)):
        if keys:
            lines += ["", title, *(f"- {state[key]['says']}" for key in keys[:_MAX_LINES])]
            lines += [f"- and {len(keys) - _MAX_LINES} more"] if len(keys) > _MAX_LINES else []
    params = f"since='{window['since']}',until='{window['until']}'"
    details = f'Details: kedro run --pipeline=monitoring --params "{params}"'
    lines += ["", details, "and open data/08_reporting/monitoring.html"]
    title = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return {"title": f"{model}: {title}", "body": "\n".join(lines)}
