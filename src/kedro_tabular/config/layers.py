"""Lay the files of a model over those of conf/base."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ..files import load_yaml
from ..kedro_project import SHARED_TABLE, TABLE
from .models import model_folder, model_names
from .paths import RAW, place, segment_file

_COLUMNS, _CLASS = "columns", "class"


def layer_parameters(base: Iterable[DictConfig], own: Iterable[DictConfig], model: str, has_table: bool) -> DictConfig:
    """The parameters of a model, not resolved.

    A mapping with another `class` than in conf/base replaces that one, as its arguments are those of that class. A
    column that is null is left out. A model with a table of its own has a contract of its own, which replaces that of
    conf/base as a whole.
    """
    below = OmegaConf.to_container(OmegaConf.unsafe_merge(*base), resolve=False)
    above = OmegaConf.to_container(OmegaConf.unsafe_merge(OmegaConf.create(), *own), resolve=False)
    assert isinstance(below, dict) and isinstance(above, dict)
    if has_table and TABLE in above:
        del below[TABLE]
    merged = merge(below, above)
    table = merged.get(TABLE)
    if isinstance(table, dict):
        table["name"] = model
        columns = table.get(_COLUMNS) or {}
        table[_COLUMNS] = {name: column for name, column in columns.items() if column is not None}
    return OmegaConf.create(merged)


def layer_catalog(base: Mapping[str, Any], own: Mapping[str, Any], model: str, is_segment: bool) -> dict[str, Any]:
    """The resolved catalog of a model: the entries of conf/base with their files in its folders, and its own."""
    placed = {name: place(entry, model) for name, entry in base.items() if name not in own}
    for entry in placed.values() if is_segment else ():
        if entry.get("filepath") == RAW:  # the model depends on its own rows only
            entry["filepath"] = segment_file(model)
    if is_segment and TABLE in placed:
        kept = {key: value for key, value in placed[TABLE].items() if key in ("validator", "metadata")}
        placed[SHARED_TABLE] = {key: value for key, value in placed[TABLE].items() if key != "validator"}
        placed[TABLE] = {"type": "pandas.ParquetDataset", "filepath": segment_file(model), **kept}
    return placed | dict(own)


def read_segments(conf: Path) -> dict[str, dict[str, Any]]:
    """The rows of each model that states `table.where`: values by column."""
    found = {name: _read_parameter(model_folder(conf, name), TABLE, "where") for name in model_names(conf)}
    return {name: where for name, where in found.items() if where}


def states(conf: Path, model: str, section: str) -> bool:
    """Whether a model has a section of the parameters of its own, or entries of the catalog."""
    folder = model_folder(conf, model)
    return any(folder.glob("catalog*.yml")) or section in _read_parameters(folder)


def _read_parameter(folder: Path, section: str, key: str) -> Any:
    values = _read_parameters(folder).get(section)
    return values.get(key) if isinstance(values, dict) else None


def _read_parameters(folder: Path) -> dict[Any, Any]:
    """The parameters that a model states, not resolved."""
    found: dict[Any, Any] = {}
    for file in sorted(folder.glob("parameters*.yml")):
        content = load_yaml(file.read_text(encoding="utf-8"))
        found |= content if isinstance(content, dict) else {}
    return found


def merge(below: Mapping[Any, Any], above: Mapping[Any, Any]) -> dict[Any, Any]:
    """Values of a layer over those below it; a mapping with another `class` replaces that below as a whole."""
    if _CLASS in above and _CLASS in below and above[_CLASS] != below[_CLASS]:
        return dict(above)
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = merge(below[key], value) if nested else value
    return merged
