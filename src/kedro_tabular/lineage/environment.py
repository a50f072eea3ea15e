"""The environment of a run: the interpreter, the platform, the lock file, and libraries that are not as locked."""

import json
import platform
import re
import sys
import tomllib
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..kedro_project import package_name
from .hashes import content_md5
from .modules import LIBRARY, project_libraries
from .provenance import ENVIRONMENT
from .remotes import mask_secrets

LOCK = "requirements.lock"
OUTSIDE = "outside_lock"  # the tag with the libraries that are not as locked
NONE = "none"
_LOCKED = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)\s*(?:;\s*([^\\\n]+))?", re.MULTILINE)
_FIELD = re.compile(r"^(Name|Version): (.+)$", re.MULTILINE)
_STANDARD = sys.stdlib_module_names
_NAMES = {"sklearn": "scikit-learn"}  # spares the search through all distributions


class Unlocked(NamedTuple):
    """A library that is not as the lock file says."""

    requirement: str  # as pip takes it: `name==version`, or `name @ URL` if it was installed from there
    locked: str | None  # the version in the lock file

    def __str__(self) -> str:
        return f"{self.requirement} ({f'locked: {self.locked}' if self.locked else f'not in {LOCK}'})"


def describe_environment(project: Path, unlocked: Iterable[Unlocked]) -> dict[str, str]:
    """Tags for the interpreter, the platform, the lock file and the libraries that are not as locked."""
    lock = project / LOCK
    outside = ", ".join(sorted(library.requirement for library in unlocked))
    return {
        ENVIRONMENT + "python": platform.python_version(),
        ENVIRONMENT + "platform": platform.platform(),
        ENVIRONMENT + "lock": content_md5(lock) if lock.exists() else f"{NONE}: no {LOCK}",
        ENVIRONMENT + OUTSIDE: outside or NONE,
    }


def find_unlocked(project: Path, classes: Iterable[str]) -> list[Unlocked]:
    """The installed libraries of a training that are not as the lock file says.

    They are what pyproject.toml requires, what the project's code imports, the libraries of some classes, such as the
    estimator's, and all that these require.

    Args:
        project: the project's folder; without a lock file, nothing is compared.
        classes: dotted names.
    """
    lock = project / LOCK
    if not lock.exists():
        return []
    locked, installed = read_lock(lock), _installed_versions()
    modules = {name.partition(".")[0] for name in classes} | project_libraries()
    names = _distribution_names(modules - {LIBRARY, str(package_name())}, installed)
    required = [*_declared(project), *map(Requirement, sorted(names))]
    others = {str(canonicalize_name(requirement.name)) for requirement in required} & installed.keys() - locked.keys()
    # What a locked library requires is locked, too: only if something differs is the search for all of it needed.
    if not others and all(installed.get(name, version) == version for name, version in locked.items()):
        return []
    return [
        Unlocked(_requirement(name, distribution), locked.get(name))
        for name, distribution in sorted(_resolve(required).items())
        if locked.get(name) != installed.get(name)
    ]


def read_lock(lock: Path) -> dict[str, str]:
    """The version of each distribution in a lock file, for this interpreter and platform."""
    lines = _LOCKED.findall(lock.read_text(encoding="utf-8"))
    return {
        str(canonicalize_name(name)): version
        for name, version, marker in lines
        if not marker or Marker(marker.strip()).evaluate()
    }


def is_installed(requirement: str) -> bool:
    """Whether a requirement of the tag, as `Unlocked` has it, is installed in this environment."""
    try:
        name = Requirement(requirement).name
        return _requirement(str(canonicalize_name(name)), metadata.distribution(name)) == requirement
    except (InvalidRequirement, metadata.PackageNotFoundError):
        return False


def _declared(project: Path) -> list[Requirement]:
    path = project / "pyproject.toml"
    content = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return list(_parse(content.get("project", {}).get("dependencies", [])))


def _parse(lines: Iterable[str]) -> Iterator[Requirement]:
    for line in lines:
        with suppress(InvalidRequirement):  # of an old package
            yield Requirement(line)


def _installed_versions() -> dict[str, str]:
    """The version of each installed distribution. Reads the first lines only: to parse all metadata takes seconds."""
    versions: dict[str, str] = {}
    for distribution in metadata.distributions():
        fields = dict(_FIELD.findall((distribution.read_text("METADATA") or "").partition("\n\n")[0]))
        if {"Name", "Version"} <= fields.keys():
            versions.setdefault(canonicalize_name(fields["Name"]), fields["Version"].strip())
    return versions


def _distribution_names(modules: Iterable[str], installed: Collection[str]) -> set[str]:
    """The distributions of some top-level modules; none for a module that is not installed."""
    guesses = {module: canonicalize_name(_NAMES.get(module, module)) for module in set(modules) - _STANDARD}
    unknown = [module for module, guess in guesses.items() if guess not in installed]
    providers = metadata.packages_distributions() if unknown else {}
    found = {guess for guess in guesses.values() if guess in installed}
    return found.union(*(providers.get(module, []) for module in unknown))


def _resolve(required: Iterable[Requirement]) -> dict[str, metadata.Distribution]:
    """The installed distributions of some requirements, and all that these require."""
    found: dict[str, metadata.Distribution] = {}
    pending = [(requirement.name, extra) for requirement in required for extra in ("", *requirement.extras)]
    known = set(pending)
    while pending:
        name, extra = pending.pop()
        try:
            distribution = found.get(canonicalize_name(name)) or metadata.distribution(name)
        except metadata.PackageNotFoundError:  # of another platform, or the run will say so
            continue
        found[canonicalize_name(name)] = distribution
        for requirement in _parse(distribution.requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                new = {(requirement.name, more) for more in ("", *requirement.extras)} - known
                pending += new
                known |= new
    return found


def _requirement(name: str, distribution: metadata.Distribution) -> str:
    origin = distribution.read_text("direct_url.json")
    if origin:
        return f"{name} @ {mask_secrets(json.loads(origin)['url'])}"
    return f"{name}=={distribution.version}"
