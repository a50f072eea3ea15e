"""The catalog as configuration: where datasets are stored, without building them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kedro.io.catalog_config_resolver import CatalogConfigResolver

from .hashes import content_md5


class Catalog:
    """Looks datasets up in the resolved configuration of the catalog, including wrapped datasets and factories.

    Credentials are left out: they do not say where a dataset is.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = {name: _without_credentials(entry) for name, entry in config.items()}
        in_memory = {"{default}": {"type": "kedro.io.MemoryDataset"}}
        self._resolver = CatalogConfigResolver(self._config, default_runtime_patterns=in_memory)

    def path(self, name: str) -> str | None:
        """The file or folder of a dataset; None for a dataset without one."""
        return next((entry[key] for entry in self._entries(name) for key in ("filepath", "path") if key in entry), None)

    def relative_path(self, project: Path, name: str) -> str | None:
        """The path relative to the project's folder; None for a dataset without a path, or with one outside."""
        path = self.path(name)
        if path is None or not (project / path).is_relative_to(project):
            return None
        return (project / path).relative_to(project).as_posix()

    def content_md5s(self, project: Path, names: Iterable[str]) -> dict[str, str]:
        """The md5 of each dataset that belongs to the lineage and exists in the project as a file or folder."""
        paths = {name: self.relative_path(project, name) for name in names if self.is_traced(name)}
        files = {name: project / path for name, path in paths.items() if path}
        return {name: content_md5(file) for name, file in files.items() if file.exists()}

    def entry_name(self, name: str) -> str | None:
        """The key of a dataset's entry in the catalog, which may be a pattern; None if it has no entry."""
        return name if name in self._config else self._resolver.match_dataset_pattern(name)

    def entry(self, name: str) -> dict[str, Any]:
        """The resolved entry of a dataset."""
        return next(self._entries(name), {})

    def output_type(self, name: str) -> str:
        """The DVC type of an output: `outs`, or metrics, plots or ignored as set by `metadata: {dvc: …}`."""
        metadata = (entry.get("metadata", {}) for entry in self._entries(name))
        return next((values["dvc"] for values in metadata if "dvc" in values), "outs")

    def is_table(self, name: str) -> bool:
        """Whether the dataset is a table on disk."""
        return any(str(entry["type"]).startswith("pandas.") for entry in self._entries(name))

    def is_traced(self, name: str) -> bool:
        """Whether the dataset belongs to the lineage: all do but those with `metadata: {lineage: false}`."""
        return all(entry.get("metadata", {}).get("lineage", True) for entry in self._entries(name))

    def class_paths(self, name: str) -> Iterator[str]:
        """Import paths of the classes that load, save and validate the dataset."""
        for entry in self._entries(name):
            yield str(entry["type"])
            validator = entry.get("validator")
            if validator:
                yield validator if isinstance(validator, str) else validator["class"]

    def _entries(self, name: str) -> Iterator[dict[str, Any]]:
        """The entry of a dataset, then the entries that it wraps."""
        entry = self._resolver.resolve_pattern(name)
        while isinstance(entry, dict) and "type" in entry:
            yield entry
            entry = entry.get("dataset", {})


def _without_credentials(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {key: _without_credentials(value) for key, value in entry.items() if key != "credentials"}
