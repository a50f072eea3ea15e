"""Registered versions as flat records: all that the registry and the run know of each, by name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import mlflow
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from ..lineage import DATA, expand_tags
from .aliases import GATE, GATE_FAILED

_BATCH = 100  # run ids in one search


@dataclass(frozen=True)
class VersionRecord:
    """One version of one registered model."""

    model: str
    version: str
    aliases: list[str]
    created: datetime
    tags: dict[str, str]
    run: Run | None  # None if the run was deleted

    @property
    def metrics(self) -> dict[str, float]:
        """The run's metrics."""
        return self.run.data.metrics if self.run else {}

    @property
    def age(self) -> float:
        """Days since it was registered."""
        return (datetime.now(UTC) - self.created).total_seconds() / 86400

    @property
    def verdict(self) -> str:
        """The gate's verdict, and the rules that failed."""
        verdict, failed = self.tags.get(GATE, "none"), self.tags.get(GATE_FAILED)
        return f"{verdict}: {failed}" if failed else verdict

    def fields(self) -> dict[str, Any]:
        """All fields of a query by dotted name; tags by their own name."""
        run = self.run
        fields: dict[str, Any] = {"model": self.model, "version": int(self.version), "alias": self.aliases}
        fields |= {"age": self.age, "created": self.created.isoformat(timespec="seconds"), GATE: "none"}
        if run:
            fields |= {"run": run.info.run_id, "status": run.info.status} | run.data.tags
            fields |= {f"params.{name}": value for name, value in run.data.params.items()}
            fields |= {f"metrics.{name}": value for name, value in run.data.metrics.items()}
        return fields | self.tags

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return self.fields() | {"age": round(self.age, 3)}


def read_records(model: str | None = None) -> list[VersionRecord]:
    """All versions of all registered models, or of one, the newest of each first."""
    name_filter = f"name = '{model}'" if model else None
    versions = mlflow.search_model_versions(filter_string=name_filter)
    # A search returns versions without their aliases.
    aliases: dict[tuple[str, str], list[str]] = {}
    for registered in mlflow.search_registered_models(filter_string=name_filter):
        for alias, number in registered.aliases.items():
            aliases.setdefault((registered.name, str(number)), []).append(alias)
    runs = read_runs(sorted({str(version.run_id) for version in versions if version.run_id}))
    records = [
        make_record(version, aliases.get((version.name, str(version.version)), ()), runs.get(str(version.run_id)))
        for version in versions
    ]
    return sorted(records, key=lambda record: (record.model, -int(record.version)))


def make_record(version: ModelVersion, aliases: Iterable[str] = (), run: Run | None = None) -> VersionRecord:
    """The record of a version that the registry has returned."""
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    tags = expand_tags(version.tags)
    return VersionRecord(str(version.name), str(version.version), sorted(aliases), created, tags, run)


def find_by_content(records: Iterable[VersionRecord], md5s: Mapping[str, str]) -> VersionRecord | None:
    """The first version that was registered from files with this content; None if there is none.

    Args:
        records: versions.
        md5s: of the stored objects, by their dataset. A version of an earlier release may lack some.
    """
    for record in records:
        recorded = {name: record.tags[DATA + name] for name in md5s if DATA + name in record.tags}
        if recorded and all(md5s[name] == md5 for name, md5 in recorded.items()):
            return record
    return None


def read_runs(ids: list[str]) -> dict[str, Run]:
    """The runs with these ids, as far as there are any."""
    runs: list[Run] = []
    for first in range(0, len(ids), _BATCH):
        listed = ", ".join(f"'{run_id}'" for run_id in ids[first : first + _BATCH])
        search = f"attributes.run_id IN ({listed})"
        runs += mlflow.search_runs(filter_string=search, search_all_experiments=True, output_format="list")
    return {str(run.info.run_id): run for run in runs}
