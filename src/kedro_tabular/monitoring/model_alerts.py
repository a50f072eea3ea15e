"""Alerts of many models in one message: what concerns several models is one line."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .alerts import update_alerts
from .text import printable, without_markup

_MAX_LINES, _MAX_MODELS, _MAX_LENGTH = 20, 8, 300  # lines of each kind, models in a line, characters of a finding
_KINDS = {"new": "New alerts:", "recovered": "Recovered:", "no longer checked": "No longer checked:"}


class ModelAlert(NamedTuple):
    """An alert of a model."""

    model: str
    check: str
    subject: str
    says: str

    @property
    def title(self) -> str:
        """The check and what it is about, such as `drift of size`."""
        return f"{self.check.replace('_', ' ')} of {self.subject}"


class AlertGroup(NamedTuple):
    """The alerts of several models from one check of the same subject, such as a column."""

    title: str
    models: list[str]

    def text(self, n_models: int) -> str:
        """In words; it names the first models only."""
        more = len(self.models) - _MAX_MODELS
        named = ", ".join(self.models[:_MAX_MODELS]) + (f" and {more} more" if more > 0 else "")
        return f"{self.title} in {len(self.models)} of {n_models} models: {named}"


def group_alerts(alerts: Iterable[ModelAlert]) -> tuple[list[AlertGroup], dict[str, list[str]]]:
    """What several models have in common, in most of them first; and the other alerts in words, by model."""
    by_title: dict[str, dict[str, ModelAlert]] = {}
    for alert in alerts:  # of several versions of a model, the first counts
        by_title.setdefault(alert.title, {}).setdefault(alert.model, alert)
    shared = [AlertGroup(title, list(same)) for title, same in by_title.items() if len(same) > 1]
    single: dict[str, list[str]] = {}
    for title, same in by_title.items():
        if len(same) == 1:
            ((model, alert),) = same.items()
            single.setdefault(model, []).append(f"{title}: {alert.says}")
    return sorted(shared, key=lambda group: -len(group.models)), single


def decide_model_alerts(
    monitored: Mapping[str, Mapping[str, Any]],
    alert_state: Mapping[str, Any],
    models: Sequence[str],
    title: str,
    page: str,
) -> dict[str, Any]:
    """Compare the findings on many models with the alerts so far, as `decide_alerts` does for one.

    Args:
        monitored: the verdict on each model that was monitored now.
        alert_state: as in `decide_alerts`; before each name is the model, `store_7/drift size`.
        models: all models of the project; the alerts of others are dropped.
        title: what the message is about.
        page: where the details are.

    Returns:
        `state`, `message` and `keys`, as of `decide_alerts`.
    """
    before: dict[str, dict[str, Any]] = {model: {} for model in models}
    for key, alert in alert_state.items():
        model, _, name = key.partition("/")
        if model in before:
            before[model][name] = alert
    state: dict[str, Any] = {}
    changes: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for model, own in before.items():
        changed: dict[str, list[str]] = {}
        if model in monitored:
            own, changed = update_alerts(monitored[model], own, monitored[model]["rules"])
        state |= {f"{model}/{name}": alert for name, alert in own.items()}
        for kind, names in changed.items():
            changes[kind] += [f"{model}/{name}" for name in names]
    keys = [key for changed_keys in changes.values() for key in changed_keys]
    message = _write_message(state, changes, len(models), title) if keys else None
    if message:
        message["body"] = f"{_describe_windows(monitored)}\n{message['body']}\n\nDetails: {page}"
    return {"state": state, "message": message, "keys": keys}


def _write_message(
    state: Mapping[str, Any], changes: Mapping[str, list[str]], n_models: int, title: str
) -> dict[str, str]:
    n_ongoing = sum(alert["raised"] and alert["told"] for alert in state.values())
    counts, lines = [], []
    for kind, keys in changes.items():
        if keys:
            n_changed = len({key.partition("/")[0] for key in keys})
            counts.append(f"{len(keys)} {kind} in {n_changed} {'model' if n_changed == 1 else 'models'}")
            lines += ["", _KINDS[kind], *_list_alerts([_alert(key, state[key]) for key in keys], n_models)]
    counts += [f"{n_ongoing} ongoing"] if n_ongoing else []
    kind = "warning" if changes["new"] or n_ongoing else "success"
    return {"title": f"{printable(title)}: {', '.join(counts)}", "body": "\n".join(lines), "type": kind}


def _alert(key: str, alert: Mapping[str, Any]) -> ModelAlert:
    model, _, name = key.partition("/")
    subject = name.removeprefix(f"{alert['check']} ")
    return ModelAlert(model, alert["check"], subject, alert["says"].removeprefix(f"{subject}: "))


def _list_alerts(alerts: list[ModelAlert], n_models: int) -> list[str]:
    shared, single = group_alerts(alerts)
    items = [("", group.text(n_models)) for group in shared]
    items += [(model, text) for model in sorted(single) for text in single[model]]
    lines, heading = [], ""
    for model, text in items[:_MAX_LINES]:
        if model != heading:
            lines.append(f"{model}:")
            heading = model
        lines.append(f"- {without_markup(printable(text, _MAX_LENGTH))}")
    more = len(items) - _MAX_LINES
    return lines + ([f"- and {more} more"] if more > 0 else [])


def _describe_windows(monitored: Mapping[str, Mapping[str, Any]]) -> str:
    """From the earliest start to the latest end, to the minute."""
    windows = [monitoring["window"] for monitoring in monitored.values()]
    zones = sorted({str(monitoring.get("timezone", "UTC")) for monitoring in monitored.values()})
    ends = min(window["since"] for window in windows)[:16], max(window["until"] for window in windows)[:16]
    return f"{' to '.join(ends)} ({', '.join(zones)})"
