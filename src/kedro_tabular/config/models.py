"""The models of a project: each is a folder of conf/models with what differs from conf/base.

Without that folder, the project has the one model of conf/base.
"""

import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

from ..kedro_project import MODEL_VARIABLE
from ..parameters import ParameterError

BASE, MODELS = "base", "models"  # folders in conf/
POOLED = "pooled"  # the model of all rows, beside those of segments
# Also the name in the registry and of folders on any system: text that neither a path nor a URL has to escape.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
_RESERVED = frozenset({BASE, "local", "model", MODELS, "plots", "segments", "served"})  # other folders have these


def current_model() -> str:
    """The model that the environment variable names; empty if it names none."""
    return os.environ.get(MODEL_VARIABLE, "")


def model_names(conf: Path) -> list[str]:
    """The names of all models in conf/models, in order. Raises ParameterError: a name is not allowed."""
    folder = conf / MODELS
    if not folder.is_dir():
        return []
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    for position, name in enumerate(names):
        check_name(name, names[:position])
    return names


def conf_layers(model: str, environment: str | None) -> list[str]:
    """The folders of conf/ that a run reads, from the lowest."""
    return [BASE, *([f"{MODELS}/{model}"] if model else []), *([environment] if environment else [])]


def model_folder(conf: Path, name: str) -> Path:
    """The folder of a model in conf/, with its dvc.yaml and dvc.lock; without a name, that of the project."""
    return conf / MODELS / name if name else conf.parent


def check_model(conf: Path, name: str) -> None:
    """Raises ParameterError: there is no such model."""
    if not _NAME.fullmatch(name) or not model_folder(conf, name).is_dir():
        known = ", ".join(model_names(conf)) or "none: the project has the one model of conf/base"
        raise ParameterError(f"there is no model {name!r} in conf/{MODELS}; the models are: {known}")


def check_name(name: str, others: Collection[str] = ()) -> None:
    """Raises ParameterError: a model can't have this name beside the others."""
    rule = "letters, digits, - and _, first a letter or digit, at most 60"
    if not _NAME.fullmatch(name):
        raise ParameterError(f"a model can't be called {name!r}, in conf/{MODELS}: a name has {rule}")
    if name.lower() in _RESERVED:
        raise ParameterError(f"a model can't be called {name!r}, in conf/{MODELS}: other folders have that name")
    alike = next((other for other in others if other.lower() == name.lower()), None)
    if alike is not None:
        raise ParameterError(f"the models {alike!r} and {name!r} in conf/{MODELS} differ in case only: rename one")


def to_name(value: str, taken: Collection[str]) -> str:
    """A name for the model of a value, such as `sao_paulo` for São Paulo, unlike those taken."""
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9-]+", "_", plain).strip("_-")[:50] or "value"
    known = {other.lower() for other in taken} | _RESERVED
    candidates = [name, *(f"{name}_{number}" for number in range(2, len(known) + 3))]
    return next(candidate for candidate in candidates if candidate.lower() not in known)
