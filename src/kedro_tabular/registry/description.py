"""The description of a version and of its run, which MLflow shows first, as Markdown."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mlflow.entities import Run

from ..lineage import DATA, GIT, SHORT

_MAX_LENGTH = 4000  # characters; MLflow's database holds 5000
_GATE, _NOT_PROMOTED = "Gate: **", "Not promoted on "  # how a description starts that was not written by a person
_REPORT = "report.html"  # the artifact of the run


def describe_version(gate: dict[str, Any], run: Run) -> str:
    """The verdict, the metrics beside those of the champion, the data, the code and the report of a version.

    Args:
        gate: the verdict, as returned by `apply_rules`.
        run: the run that registers it.
    """
    parts = ["\n".join([_verdict(gate), *failed_rules(gate)]), _metrics(gate), _origin(run)]
    return "\n\n".join(filter(None, parts))[:_MAX_LENGTH]


def explain_obstacle(description: str | None, obstacle: str) -> str | None:
    """The description with the reason why the version did not become champion; None if a person wrote it."""
    known = description or ""
    if known.startswith(_NOT_PROMOTED):
        known = known.partition("\n\n")[2]
    elif known and not known.startswith(_GATE):
        return None
    line = f"{_NOT_PROMOTED}{datetime.now(UTC):%Y-%m-%d at %H:%M UTC}: {obstacle}"
    return f"{line}\n\n{known}"[:_MAX_LENGTH]


def _verdict(gate: Mapping[str, Any]) -> str:
    compared = f", compared with version {gate['champion']}" if gate["champion"] else ""
    rows = f" on {gate['compared_rows']:,} test rows" if gate.get("compared_rows") else ""
    return f"{_GATE}{gate['verdict']}**{compared}{rows}"


def failed_rules(gate: Mapping[str, Any]) -> list[str]:
    """A line for each rule of a verdict that failed."""
    return [f"- {rule['rule']}: {rule['why']}" for rule in gate["rules"] if not rule["passed"]]


def _metrics(gate: Mapping[str, Any]) -> str:
    """A table with an interval of each metric."""
    metrics = gate.get("metrics") or {}
    if not metrics:
        return ""
    columns = {"This version": ("challenger", "")}
    if any(values.get("champion") is not None for values in metrics.values()):
        columns["Champion"] = ("champion", "champion_")
    rows = [["Metric", *columns], ["---"] * (len(columns) + 1)]
    rows += [[name, *(_interval(values, *keys) for keys in columns.values())] for name, values in metrics.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _interval(values: Mapping[str, Any], name: str, prefix: str) -> str:
    value, low, high = values.get(name), values.get(f"{prefix}low"), values.get(f"{prefix}high")
    if value is None:
        return ""
    return f"{value:.4f}" + (f" ({low:.4f} to {high:.4f})" if None not in (low, high) else "")


def _origin(run: Run) -> str:
    tags, info = run.data.tags, run.info
    code, changes = tags.get(f"{GIT}commit", "none")[:SHORT], tags.get(f"{GIT}dirty") == "true"
    page = f"#/experiments/{info.experiment_id}/runs/{info.run_id}"
    data = tags.get(f"{DATA}table", "none")[:SHORT]
    where = f"Table `{data}`, code `{code}`{' with changes that are not committed' if changes else ''}."
    return f"{where} [Report]({page}/artifacts/{_REPORT}), [run]({page})"
