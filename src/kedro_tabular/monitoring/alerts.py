"""Decides which alerts are sent: each new alert once, and its end."""

from collections.abc import Mapping
from typing import Any

from ..contract import Contract
from .settings import Alerts
from .text import printable, without_markup

_MAX_LINES, _MAX_LENGTH = 8, 300  # lines of each kind in a message, and characters of a line
_OF_COLUMNS = ("drift", "output_drift")  # checks that have a result for each column of each version


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
        The new `state`; `message` with `title`, `body` and Apprise's `type`, or None; and `keys`, the alerts that it
        is about.
    """
    del monitoring_report
    windows = {rule.check: rule.windows for rule in Alerts.read("alerts", alerts).rules}
    state, changes = update_alerts(monitoring, alert_state, windows)
    keys = [key for changed in changes.values() for key in changed]
    table = Contract.from_parameters(contract)
    message = _write_message(table, monitoring["window"], state, changes) if keys else None
    return {"state": state, "message": message, "keys": keys}


def update_alerts(
    monitoring: Mapping[str, Any], alert_state: dict[str, Any], windows: Mapping[Any, int]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The new state of the alerts of a model, and those to send a message about, by what has happened to them.

    `windows` are the checks with a rule, and in how many windows in a row they must raise an alert.
    """
    until = monitoring["window"]["until"]
    newest = max((alert["until"] for alert in alert_state.values()), default="")
    assessed = _assessed(monitoring)
    if not (monitoring["versions"] or assessed) or until < newest:
        return alert_state, {}
    state: dict[str, Any] = {}
    for finding in monitoring["findings"]:
        if finding["check"] in windows:
            key = _key(finding)
            state.setdefault(key, _raise_alert(finding, alert_state.get(key), monitoring["window"]))
    removed = []
    for key, alert in alert_state.items():
        if key in state:
            continue
        is_removed = alert["check"] not in windows or _is_unwatched(key, alert["check"], assessed)
        if not is_removed and not _is_assessed(key, alert["check"], assessed, monitoring):
            state[key] = alert | {"until": until}  # for instance, there are no outcomes yet
        elif alert["told"]:
            state[key] = alert | {"raised": False, "windows": 0, "counted": "", "until": until}
            removed += [key] if is_removed else []
    return state, _find_changes(state, windows, removed)


def _find_changes(state: dict[str, Any], windows: Mapping[Any, int], removed: list[str]) -> dict[str, list[str]]:
    """The alerts to send a message about, by what has happened to them."""
    unsent = {key: alert for key, alert in state.items() if alert["raised"] and not alert["told"]}
    return {
        "new": [key for key, alert in unsent.items() if alert["windows"] >= windows[alert["check"]]],
        "recovered": [key for key, alert in state.items() if not alert["raised"] and key not in removed],
        "no longer checked": removed,
    }


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


def _assessed(monitoring: Mapping[str, Any]) -> dict[str, str]:
    """The checks that the window has a result for, raised or not, by the key of their alert."""
    findings = [finding for result in monitoring["versions"].values() for finding in result["findings"]]
    findings += [*monitoring.get("service_findings", []), *monitoring["findings"]]
    return {_key(finding): finding["check"] for finding in findings}


def _is_assessed(key: str, check: str, assessed: dict[str, str], monitoring: Mapping[str, Any]) -> bool:
    """Whether the window has a result for an alert. A reason that no row has any more has no finding."""
    return key in assessed or (check == "reason" and bool(monitoring["versions"]))


def _is_unwatched(key: str, check: str, assessed: dict[str, str]) -> bool:
    """Whether an alert is about a column that the versions of the window don't have."""
    return check in _OF_COLUMNS and check in assessed.values() and key not in assessed


def _write_message(
    table: Contract, window: dict[str, str], state: dict[str, Any], changes: dict[str, list[str]]
) -> dict[str, str]:
    n_ongoing = sum(alert["raised"] and alert["told"] for alert in state.values())
    counts = {kind: len(keys) for kind, keys in changes.items()} | {"ongoing": n_ongoing}
    lines = [f"{window['since']} to {window['until']} ({table.timezone})"]
    for kind, keys in changes.items():
        if keys:
            shown = [without_markup(printable(state[key]["says"], _MAX_LENGTH)) for key in keys[:_MAX_LINES]]
            lines += ["", "New alerts:" if kind == "new" else f"{kind.capitalize()}:", *(f"- {says}" for says in shown)]
            lines += [f"- and {len(keys) - _MAX_LINES} more"] if len(keys) > _MAX_LINES else []
    params = f"since='{window['since']}',until='{window['until']}'"
    details = f'Details: kedro run --pipeline=monitoring --params "{params}"'
    lines += ["", details, "and open data/08_reporting/monitoring.html"]
    title = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    kind = "warning" if changes["new"] or n_ongoing else "success"
    return {"title": f"{printable(table.name)}: {title}", "body": "\n".join(lines), "type": kind}
