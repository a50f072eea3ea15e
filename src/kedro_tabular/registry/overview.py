"""What is deployed of many models: one record a model, made of a few queries, however many versions there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ..evaluation import BASELINE
from ..lineage import DATA, expand_tags
from ..monitoring import ALERT, rows_a_day
from .aliases import CHALLENGER, CHAMPION, GATE, GATE_POOLED, PASSED
from .records import make_record, read_runs

# What a person has to do, the most urgent first; empty if nothing.
NEVER_TRAINED, NO_CHAMPION, ALERTING, WAITING, REFUSED, FINE = (
    "train it",
    "no champion",
    "look at the alert",
    "promote the challenger, or not",
    "the newest version was refused",
    "",
)
_URGENCY = (NO_CHAMPION, NEVER_TRAINED, ALERTING, WAITING, REFUSED, FINE)


@dataclass(frozen=True)
class ModelSummary:
    """One model: its champion, what waits, the verdict on its newest version, and what a person has to do."""

    model: str
    todo: str
    champion: str = ""
    challenger: str = ""
    newest: str = ""
    verdict: str = ""
    age: float | None = None  # of the champion, in days
    metric: float | None = None  # of the champion
    baseline: float | None = None  # the same metric of the baseline
    pooled: str = ""  # the champion, compared with the model of all rows when it was trained
    monitoring: str = ""  # the last verdict
    rows_a_day: float | None = None  # of the last monitored window
    table: str = ""  # the md5 of the champion's table

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in vars(self).items()}


def read_overview(
    names: Sequence[str], metric: str, monitored: Mapping[str, Mapping[str, Any]] | None = None
) -> list[ModelSummary]:
    """A summary of each model, those that need a person first.

    Args:
        names: the registered models, also those that have no version yet.
        metric: the metric to show.
        monitored: the verdict of the last monitoring of each model that was monitored.
    """
    registered = {model.name: model for model in mlflow.search_registered_models()}
    newest = {name: _newest(registered[name].latest_versions) for name in names if name in registered}
    champions = {name: _champion(registered[name], newest[name]) for name in newest}
    runs = read_runs(sorted({str(version.run_id) for version in champions.values() if version is not None}))
    summaries = []
    for name in names:
        version, champion = newest.get(name), champions.get(name)
        monitoring = (monitored or {}).get(name, {})
        if version is None:
            summaries.append(ModelSummary(name, NEVER_TRAINED))
            continue
        run = runs.get(str(champion.run_id)) if champion else None
        metrics = run.data.metrics if run else {}
        challenger = str(registered[name].aliases.get(CHALLENGER, ""))
        summaries.append(
            ModelSummary(
                model=name,
                todo=_todo(champion, challenger, version, monitoring.get("verdict") == ALERT),
                champion=str(champion.version) if champion else "",
                challenger=challenger,
                newest=str(version.version),
                verdict=make_record(version).verdict,
                age=make_record(champion).age if champion else None,
                metric=metrics.get(metric),
                baseline=metrics.get(BASELINE + metric),
                pooled=champion.tags.get(GATE_POOLED, "") if champion else "",
                monitoring=str(monitoring.get("verdict", "")),
                rows_a_day=rows_a_day(monitoring),
                table=str(expand_tags(champion.tags).get(f"{DATA}table", "")) if champion else "",
            )
        )
    return sorted(summaries, key=lambda summary: (_URGENCY.index(summary.todo), summary.model))


def _newest(versions: Sequence[ModelVersion]) -> ModelVersion | None:
    return max(versions, key=lambda version: int(version.version), default=None)


def _champion(registered: Any, newest: ModelVersion | None) -> ModelVersion | None:
    number = registered.aliases.get(CHAMPION)
    if number is None or newest is None or str(newest.version) == str(number):
        return None if number is None else newest
    try:
        return MlflowClient().get_model_version(registered.name, str(number))
    except MlflowException:  # it was deleted
        return None


def _todo(champion: ModelVersion | None, challenger: str, newest: ModelVersion, has_alert: bool) -> str:
    if champion is None:
        return NO_CHAMPION
    if has_alert:
        return ALERTING
    if challenger:
        return WAITING
    is_newer = int(newest.version) > int(champion.version)
    return REFUSED if is_newer and newest.tags.get(GATE) != PASSED else FINE
