"""A stage of DVC reads only what DVC tracks: other values of conf/, the environment or --params are refused.

DVC compares the files that dvc.yaml names with those in dvc.lock. A value that comes from elsewhere would be in the
model but not in dvc.lock, and its change would run no stage.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kedro.config import OmegaConfigLoader
from kedro.pipeline import Pipeline

from ..config import BASE, conf_layers, model_folder, read_conf
from ..kedro_project import package_name
from ..parameters import ParameterError, flatten
from .catalog import Catalog
from .conf_keys import conf_files, is_of_kind, load_file, parameter_names, read_keys, tracked_datasets
from .modules import package_folder

_LISTED = 5  # values in the message
_UNSET = "no value"

_Stage = Mapping[str, list[str] | None]  # the tracked keys by file; None if the whole file is tracked


class _Override(NamedTuple):
    """A value that a run reads and that DVC does not track."""

    key: str
    value: Any
    file: str
    tracked: Any
    tracked_file: str | None

    def __str__(self) -> str:
        where = f" in {self.tracked_file}" if self.tracked_file else ""
        return f"  {self.key}: {self.value!r} in {self.file}, but DVC tracks {self.tracked!r}{where}"


def check_stage(pipeline: Pipeline, catalog: Catalog, loader: OmegaConfigLoader, project: Path) -> None:
    """Compare what a run of a stage reads with what DVC tracks. Does nothing in a run that DVC did not start.

    Raises:
        ParameterError: they differ; the message names file, key and both values, and what to do.
    """
    name = os.environ.get("DVC_STAGE", "").rpartition(":")[2]  # `dvc.yaml:name` if DVC runs in another folder
    model = getattr(loader, "model", "")
    stage = _read_stage(name, model_folder(project / "conf", model))
    if stage is None:
        return
    _check_code(name, project)
    taken = {*parameter_names(pipeline), ""}  # not what the catalog refers to, which an earlier release did not track
    for file, keys in read_keys(pipeline, catalog, project, conf_layers(model, None)).items():
        lacking = [key for key in keys or [""] if key in taken and not _tracks(stage, file, key)]
        if lacking and is_of_kind(Path(file), "parameters"):
            raise ParameterError(f"{name} reads {', '.join(lacking)} of {file}, which dvc.yaml lacks: kedro dvc sync")
    overrides = [found for found in _overrides(pipeline, loader, project) if not _tracks(stage, found.file, found.key)]
    if overrides:
        raise ParameterError(_message(name, overrides))


def _read_stage(name: str, folder: Path) -> _Stage | None:
    """What the dvc.yaml of a folder tracks of conf/ for a stage; None if it has no such stage."""
    path = folder / "dvc.yaml"
    if not name or not path.exists():
        return None
    stage = load_file(path).get("stages", {}).get(name)
    if stage is None:
        return None
    return {file: keys for entry in stage.get("params", []) if isinstance(entry, dict) for file, keys in entry.items()}


def _check_code(name: str, project: Path) -> None:
    """The code that runs must be that of this folder, which is another one in an experiment of DVC."""
    folder = package_folder(str(package_name()))
    if not folder.resolve().is_relative_to(project.resolve()):
        raise ParameterError(
            f"{name} would run the code of {folder} instead of that of this folder, which DVC tracks. "
            "Run `kedro dvc sync`, and commit dvc.yaml"
        )


def _tracks(stage: _Stage, file: str, key: str) -> bool:
    """Whether a stage tracks a key, a key above it, or the whole file."""
    if file not in stage:
        return False
    keys = stage[file]
    return keys is None or any(f"{key}.".startswith(f"{tracked}.") for tracked in keys)


def _overrides(pipeline: Pipeline, loader: OmegaConfigLoader, project: Path) -> Iterator[_Override]:
    """The values that differ from those of conf/base and of the model."""
    environment = loader.env or loader.default_run_env
    kinds = ("parameters", "catalog")
    if not loader.runtime_params and not any(conf_files(project, environment, k) for k in (*kinds, "globals")):
        return
    # One after the other, because loaders share one resolver of `globals`; the last line sets back that of this run.
    used = {kind: loader[kind] for kind in kinds}
    base = read_conf(project, BASE)  # of the same model
    tracked = {kind: base[kind] for kind in kinds}
    read_conf(project, loader.env)
    names = None if "parameters" in pipeline.inputs() else parameter_names(pipeline)
    for kind in kinds:
        if kind == "parameters":
            flat = [_flatten(found[kind], names) for found in (used, tracked)]
        else:
            flat = [_flatten_entries(Catalog(found[kind]), pipeline) for found in (used, tracked)]
        for key in sorted(flat[0] | flat[1]):
            value, known = (found.get(key, _UNSET) for found in flat)
            if value != known:
                runtime = kind == "parameters" and key in flatten(loader.runtime_params)
                file = "--params" if runtime else _find_file(project, environment, kind, key) or f"conf/{environment}"
                yield _Override(key, value, file, known, _find_file(project, BASE, kind, key))


def _flatten(parameters: Mapping[str, Any], names: list[str] | None) -> dict[str, Any]:
    """The values of some parameters by dotted key; of all, without names."""
    flat = flatten(parameters)
    return flat if names is None else {k: v for k, v in flat.items() if any(f"{k}.".startswith(f"{n}.") for n in names)}


def _flatten_entries(catalog: Catalog, pipeline: Pipeline) -> dict[str, Any]:
    """The entries of the files that DVC tracks, by dotted key."""
    return flatten({str(catalog.entry_name(name)): catalog.entry(name) for name in tracked_datasets(pipeline, catalog)})


def _find_file(project: Path, environment: str, kind: str, key: str) -> str | None:
    """The file of an environment that sets a key, or a part of it."""
    for file in conf_files(project, environment, kind):
        flat = flatten(load_file(project / file))
        if any(f"{known}.".startswith(f"{key}.") or f"{key}.".startswith(f"{known}.") for known in flat):
            return file
    return None


def _message(name: str, overrides: list[_Override]) -> str:
    lines = [f"{name} would read values that DVC does not track:", *map(str, overrides[:_LISTED])]
    if len(overrides) > _LISTED:
        lines.append(f"  and {len(overrides) - _LISTED} more")
    first = overrides[0]
    lines.append(f"Put them into conf/base, or remove them from {first.file}.")
    if first.tracked_file and "/parameters" in first.tracked_file:
        lines.append(f"To try a value: dvc exp run -S {first.tracked_file}:{first.key}={first.value}")
    environment = first.file.split("/")[1] if first.file.startswith("conf/") else "local"
    if environment != "local":
        lines.append(f"To let DVC track the environment: kedro dvc sync --env {environment}")
    lines.append("Without DVC, `kedro run` takes any value.")
    return "\n".join(lines)
