"""Registered versions as flat records: what the registry and the run know of each, under one name each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from .aliases import GATE

_PAGE = 100  # run ids asked for at a time


@dataclass(frozen=True)
class VersionRecord:
    """One version of one registered model."""

    model: str
    version: str
    aliases: list[str]
    created: datetime
    tags: dict[str, str]
    run: Run | None  # None where the run was deleted

    @property
    def metrics(self) -> dict[str, float]:
        """The run's metrics."""
        return self.run.data.metrics if self.run else {}

    @property
    def age(self) -> float:
        """Days since it was registered."""
        return (datetime.now(UTC) - self.created).total_seconds() / 86400

    def fields(self) -> dict[str, Any]:
        """All that a query can ask for, by dotted name; tags by their own."""
        run = self.run
        found: dict[str, Any] = {"model": self.model, "version": int(self.version), "alias": self.aliases}
        found |= {"age": self.age, "created": self.created.isoformat(timespec="seconds"), GATE: "none"}
        if run:
            found |= {"run": run.info.run_id, "status": run.info.status} | run.data.tags
            found |= {f"params.{name}": value for name, value in run.data.params.items()}
            found |= {f"metrics.{name}": value for name, value in run.data.metrics.items()}
        return found | self.tags

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return self.fields() | {"age": round(self.age, 3)}


def read_records(model: str | None = None) -> list[VersionRecord]:
    """All versions of all registered models, or of one, the newest of each first."""
    client = MlflowClient()
    only = f"name = '{model}'" if model else None
    versions: list[ModelVersion] = list(_pages(client.search_model_versions, filter_string=only))
    # A search gives versions without their aliases.
    aliases: dict[tuple[str, str], list[str]] = {}
    for registered in _pages(client.search_registered_models, filter_string=only):
        for alias, number in registered.aliases.items():
            aliases.setdefault((registered.name, str(number)), []).append(alias)
    runs = _runs(client, sorted({str(version.run_id) for version in versions if version.run_id}))
    records = [
        VersionRecord(
            str(version.name),
            str(version.version),
            sorted(aliases.get((version.name, str(version.version)), [])),
            datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
            dict(version.tags),
            runs.get(str(version.run_id)),
        )
        for version in versions
    ]
    return sorted(records, key=lambda record: (record.model, -int(record.version)))


def _runs(client: MlflowClient, ids: list[str]) -> dict[str, Run]:
    found = {}
    experiments = [experiment.experiment_id for experiment in _pages(client.search_experiments)]
    for first in range(0, len(ids), _PAGE):
        listed = ", ".join(f"'{run}'" for run in ids[first : first + _PAGE])
        for run in client.search_runs(experiments, f"attributes.run_id IN ({listed})", max_results=_PAGE):
            found[str(run.info.run_id)] = run
    return found


def _pages(search: Any, **arguments: Any) -> Iterator[Any]:
    token = None
    while token != "":
        page = search(page_token=token, **arguments)
        yield from page
        token = page.token or ""
