"""The results of the last monitoring of each of many models, as files in the project."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import place
from ..lineage import Catalog

_VERDICT = "monitoring"  # the catalog's entry


def path_of_model(catalog: Mapping[str, Any], name: str, model: str) -> Path | None:
    """The file of a model that an entry of the catalog in conf/base stands for, relative to the project's folder."""
    path = Catalog({name: place(catalog[name], model)}).path(name) if name in catalog else None
    return None if path is None else Path(path)


def read_monitored(project: Path, catalog: Mapping[str, Any], models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The verdict on each model that was monitored."""
    found = {}
    for model in models:
        path = path_of_model(catalog, _VERDICT, model)
        if path is not None and (project / path).is_file():
            found[model] = json.loads((project / path).read_text(encoding="utf-8"))
    return found
