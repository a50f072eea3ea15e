"""Plan the changes that put the project on the adopted table."""

import filecmp
from pathlib import Path
from typing import Any

from ..files import load_yaml
from . import sample
from .changes import Changes
from .inference import InferredContract
from .settings import choose_settings
from .split import Split
from .yaml_edit import set_values

_RAW = "data/01_raw"


def plan_changes(
    project: Path, inferred: InferredContract, split: Split, sections: dict[str, dict[str, Any]], table: Path
) -> Changes:
    """All changes, except that of dvc.yaml. `sections` are what was chosen for `features` and `estimator`."""
    destination = _destination(project, table)
    changes = Changes(project)
    pointer = destination.with_name(destination.name + ".dvc")
    if not pointer.exists() or not destination.exists() or not filecmp.cmp(destination, table, shallow=False):
        changes.table = (table.resolve(), destination)
    for name, values in choose_settings(inferred, split, sections, f"{_RAW}/{destination.name}").items():
        path = project / "conf" / "base" / name
        text = path.read_text(encoding="utf-8")
        if load_yaml(text).get("serving", {}).get("log") is not False:  # without a log it has no keys
            changes.write(path, set_values(text, values))
    config = project / ".dvc" / "config"
    changes.write(config, sample.without_remote(config.read_text(encoding="utf-8")))
    answers = project / ".copier-answers.yml"
    if answers.exists():  # so that an update of the template does not bring the sample back
        changes.write(answers, set_values(answers.read_text(encoding="utf-8"), {("sample",): False}))
    changes.deleted = list(sample.find(project))
    lock = project / "dvc.lock"
    if changes and lock.exists():
        changes.deleted.append(lock)  # it describes another table
    return changes


def find_unused_files(project: Path, table: Path) -> list[str]:
    """Files that stay but are not read any more, each with what to do about it."""
    destination = _destination(project, table)
    original = table.resolve()
    unused = []
    if original != destination and original.is_relative_to(project):
        relative = original.relative_to(project)
        unused.append(f"{relative} is copied to {_RAW}: delete the original, or keep it out of git")
    in_use = {path.name for path in sample.find(project)} | {destination.name + ".dvc"}
    for pointer in sorted((project / _RAW).glob("*.dvc")):
        if pointer.name not in in_use:
            unused.append(f"{_RAW}/{pointer.stem} is not used any more: dvc remove {_RAW}/{pointer.name}")
    return unused


def _destination(project: Path, table: Path) -> Path:
    """Where the file goes: one that is among the raw data already stays."""
    raw = project / _RAW
    return table.resolve() if table.resolve().parent == raw.resolve() else raw / table.name
