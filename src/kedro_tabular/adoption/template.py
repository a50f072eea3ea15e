"""A clone of the template becomes a project: what is only the template's goes, as it does in a copy."""

import runpy
from pathlib import Path
from types import SimpleNamespace

from .changes import Changes

_SCRIPT = "template/make_copy.py"  # a copy has no such file
_KEPT = {"README.md"}  # the template's is replaced
_DESCRIPTION = "Tabular machine learning: from a table to a registered model"


def is_template(project: Path) -> bool:
    """Whether the folder is a clone of the template and not a copy."""
    return (project / _SCRIPT).exists()


def plan_own_files(project: Path, package: str, name: str, changes: Changes) -> None:
    """Add what makes a project of a clone of the template, by the lists of the script that makes copies."""
    script = runpy.run_path(str(project / _SCRIPT))
    options = SimpleNamespace(package=package, name=name, description=_DESCRIPTION, sample=True)
    readme = (project / "template" / "README.md").read_text(encoding="utf-8")
    changes.write(project / "README.md", script["rewrite"]("README.md", readme, set(), options))
    makefile = (project / "Makefile").read_text(encoding="utf-8")
    changes.write(project / "Makefile", script["rewrite"]("Makefile", makefile, set(), options))
    own = {path for pattern in script["MACHINERY"] if pattern not in _KEPT for path in project.glob(pattern)}
    changes.deleted += sorted(own - set(changes.deleted))
