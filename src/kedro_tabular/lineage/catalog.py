"""The catalog as configuration: where datasets live, without building them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kedro.io.catalog_config_resolver import CatalogConfigResolver

from . import provenance


class Catalog:
    """Looks datasets up in the resolved configuration of the catalog, wrapped ones and factories included."""

    def __init__(self, config: dict[str, Any]) -> None:
        in_memory = {"{default}": {"type": "kedro.io.MemoryDataset"}}
        self._resolver = CatalogConfigResolver(config, default_runtime_patterns=in_memory)

    def path(self, name: str) -> str | None:
        """The file or folder of a dataset; None for one without."""
        return next((inner[key] for inner in self._layers(name) for key in ("filepath", "path") if key in inner), None)

    def path_in(self, project: Path, name: str) -> str | None:
        """The path relative to the project's folder; None for a dataset without one, or outside."""
        path = self.path(name)
        if path is None or not (project / path).is_relative_to(project):
            return None
        return (project / path).relative_to(project).as_posix()

    def contents(self, project: Path, names: Iterable[str]) -> dict[str, str]:
        """The md5 of each dataset that counts in the lineage and is a file or folder in the project now."""
        paths = {name: self.path_in(project, name) for name in names if self.is_data(name)}
        files = {name: project / path for name, path in paths.items() if path}
        return {name: provenance.content_md5(file) for name, file in files.items() if file.exists()}

    def kind(self, name: str) -> str:
        """How DVC treats the output: `outs`, or metrics, plots or ignored as `metadata: {dvc: …}` says."""
        return next(
            (inner["metadata"]["dvc"] for inner in self._layers(name) if "dvc" in inner.get("metadata", {})), "outs"
        )

    def is_table(self, name: str) -> bool:
        """Whether the dataset is a table on disk."""
        return any(str(inner["type"]).startswith("pandas.") for inner in self._layers(name))

    def is_data(self, name: str) -> bool:
        """Whether the dataset counts in the lineage: not if its entry says `metadata: {lineage: false}`."""
        return all(inner.get("metadata", {}).get("lineage", True) for inner in self._layers(name))

    def classes(self, name: str) -> Iterator[str]:
        """Import paths of the classes that load, save and validate the dataset."""
        for inner in self._layers(name):
            yield str(inner["type"])
            validator = inner.get("validator")
            if validator:
                yield validator if isinstance(validator, str) else validator["class"]

    def _layers(self, name: str) -> Iterator[dict[str, Any]]:
        """The entry, and the entry that it wraps, if any."""
        entry = self._resolver.resolve_pattern(name)
        while isinstance(entry, dict) and "type" in entry:
            yield entry
            entry = entry.get("dataset", {})
