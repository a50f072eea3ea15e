"""The project as it will be on the adopted table."""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import yaml

from . import sample
from .changes import Changes
from .inference import Decision
from .sections import Settings, choose_settings
from .split import Split
from .yaml_edit import set_values

_RAW = "data/01_raw"
_DESCRIBING = ("conf", "src")  # what dvc.yaml is written from


def find_changes(project: Path, decision: Decision, split: Split, table: Path) -> Changes:
    """All that differs between the project as it is and as it will be, but for dvc.yaml."""
    place = _place(project, table)
    changes = Changes(project)
    pointer = place.with_name(place.name + ".dvc")
    if not pointer.exists() or not place.exists() or not filecmp.cmp(place, table, shallow=False):
        changes.table = (table.resolve(), place)
    settings = choose_settings(decision, split, f"{_RAW}/{place.name}")
    for file, text in _conf(project, settings).items():
        changes.write(file, text)
    config = project / ".dvc" / "config"
    changes.write(config, sample.without_remote(config.read_text()))
    answers = project / ".copier-answers.yml"
    if answers.exists():  # an update of the template brings none of the sample any more
        changes.write(answers, set_values(answers.read_text(), {("sample",): False}))
    changes.removed = list(sample.find(project))
    if changes and (project / "dvc.lock").exists():
        changes.removed.append(project / "dvc.lock")  # it is about another table
    return changes


def add_stages(changes: Changes) -> None:
    """Add dvc.yaml as the project will write it after the changes."""
    changes.write(changes.project / "dvc.yaml", _stages(changes.project, changes))


def find_leftovers(project: Path, table: Path) -> list[str]:
    """Files that stay, though nothing reads them any more."""
    place = _place(project, table)
    given = table.resolve()
    told = []
    if given != place and given.is_relative_to(project):
        told.append(f"{given.relative_to(project)} has a copy in {_RAW} now: delete it, or keep it out of git")
    gone = {path.name for path in sample.find(project)} | {place.name + ".dvc"}
    for pointer in sorted((project / _RAW).glob("*.dvc")):
        if pointer.name not in gone:
            told.append(f"{_RAW}/{pointer.stem} is read by nothing any more: dvc remove {_RAW}/{pointer.name}")
    return told


def _place(project: Path, table: Path) -> Path:
    """Where the file goes: one that lies among the raw data stays."""
    raw = project / _RAW
    return table.resolve() if table.resolve().parent == raw.resolve() else raw / table.name


def _conf(project: Path, settings: Settings) -> dict[Path, str]:
    """The files of conf/base with the settings in them."""
    base = project / "conf" / "base"
    texts = {}
    for name, values in settings.items():
        text = (base / name).read_text()
        if yaml.safe_load(text).get("serving", {}).get("log") is False:
            values = {}  # nothing is logged, by no key
        texts[base / name] = set_values(text, values)
    return texts


def _stages(project: Path, changes: Changes) -> str:
    """The text of dvc.yaml after the changes, as the project writes it that they lead to."""
    with tempfile.TemporaryDirectory() as folder:
        future = Path(folder).resolve() / "project"
        unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", "local")
        for part in _DESCRIBING:
            shutil.copytree(project / part, future / part, ignore=unwanted)
        shutil.copy(project / "pyproject.toml", future)
        changes.in_copy(future, _DESCRIBING).make()
        environment = os.environ | {"PYTHONPATH": str(future / "src")}
        command = [sys.executable, "-m", "kedro", "dvc", "sync"]
        done = subprocess.run(command, cwd=future, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise click.ClickException(f"dvc.yaml can't be written, nothing is changed: {done.stderr.strip()}")
        return (future / "dvc.yaml").read_text()
