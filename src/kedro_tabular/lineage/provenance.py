"""What runs and versions record of where they come from: the prefixes of their tags, and the stages in dvc.lock."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..config import MODELS, merge, model_folder
from ..files import load_yaml
from .conf_keys import is_of_kind, layer_of
from .hashes import content_md5

DATA, GIT, ENVIRONMENT = "data.", "git.", "env."  # prefixes of the tags of runs and versions
_LINEAGE = "lineage"
_SHOWN = (f"{DATA}table", f"{GIT}commit", f"{GIT}dirty")


def select_tags(tags: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The tags with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tags.items() if name.startswith(prefix)}


def version_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a version for those of its run: the table and the code, and all others in one, as JSON.

    One tag for each file would hide the verdict on MLflow's page of a version.
    """
    recorded = {name: value for name, value in sorted(tags.items()) if name.startswith((DATA, GIT, ENVIRONMENT))}
    shown = {name: recorded[name] for name in _SHOWN if name in recorded}
    return shown | {_LINEAGE: json.dumps({name: value for name, value in recorded.items() if name not in shown})}


def expand_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a version with those that `version_tags` has put into one."""
    others = {name: value for name, value in tags.items() if name != _LINEAGE}
    return {**json.loads(tags.get(_LINEAGE, "{}")), **others}


class Upstream(NamedTuple):
    """What some files were made from: md5 by path, and the parameters of the stages by key."""

    files: dict[str, str]
    parameters: dict[str, Any]


def read_upstream(outputs: dict[str, str], project: Path, model: str = "") -> Upstream:
    """The files and parameters that `dvc repro` made some files from, back to the raw data, according to dvc.lock.

    Only stages whose recorded output has the same md5 count: nothing is known of a file that was made otherwise.

    Args:
        outputs: md5 by path, relative to the project.
        project: the project's folder.
        model: the model of conf/models that they are of; none by default.
    """
    folders = dict.fromkeys((project, model_folder(project / "conf", model)))
    stages = [stage for folder in folders for stage in _read_lock(folder / "dvc.lock")]
    upstream = Upstream({}, {})
    pending = dict(outputs)
    while pending:
        path, md5 = pending.popitem()
        for stage in stages:
            if any(_has(out, path, md5, project) for out in stage.get("outs", [])):
                inputs = {dep["path"]: dep["md5"] for dep in stage.get("deps", [])}
                pending |= {key: value for key, value in inputs.items() if key not in upstream.files}
                upstream.files.update(inputs)
                upstream.parameters.update(_parameters(stage, model))
    return upstream


def _has(out: Mapping[str, Any], path: str, md5: str, project: Path) -> bool:
    """Whether a recorded output is this file, or a folder with it."""
    if out["path"] == path:
        return out.get("md5") == md5
    folder = project / out["path"]
    if not path.startswith(f"{out['path']}/") or not folder.is_dir() or content_md5(folder) != out.get("md5"):
        return False
    return content_md5(project / path) == md5


def _read_lock(lock: Path) -> list[dict[str, Any]]:
    """The stages of a dvc.lock; none if there is no such file."""
    content = load_yaml(lock.read_text(encoding="utf-8")) if lock.exists() else None
    return list((content or {}).get("stages", {}).values())


def _parameters(stage: dict[str, Any], model: str) -> dict[str, Any]:
    """The parameters of a stage: those of conf/base, overridden by those of a model and of an environment."""
    merged: dict[str, Any] = {}
    files = stage.get("params", {})
    others = re.compile(rf"conf/{MODELS}/(?!{re.escape(model)}/)")  # a shared stage has those of all models
    for file in sorted(files, key=layer_of):
        if is_of_kind(Path(file), "parameters") and not others.match(file):
            merged = merge(merged, files[file])
    return merged
