"""Rules that hold for the project as a whole."""

import ast
import re

import pytest
from kedro.framework.project import configure_project

from project.pipeline_registry import TRAIN, register_pipelines

from .conftest import ROOT

SOURCES = sorted((ROOT / "src" / "project").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_the_package_imports_itself_relatively_so_that_it_can_be_renamed(path):
    imported = {
        name
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""] * (node.level == 0)
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not {name for name in imported if name.split(".")[0] == "project"}


def test_only_the_ingestion_knows_what_the_sample_is_about():
    words = re.compile(r"flight|weather|airport|tailnum|carrier", re.IGNORECASE)
    others = [path for path in SOURCES if "ingestion" not in path.parts]
    assert not [path.name for path in others if words.search(path.read_text())]


def test_pipelines_do_not_import_each_other():
    for path in (ROOT / "src" / "project" / "pipelines").rglob("*.py"):
        siblings = [name for name in TRAIN if name != path.parent.name]
        assert not re.search(rf"from \.\.({'|'.join(siblings)})", path.read_text()), path


def test_the_lock_pins_everything_by_hash_and_names_no_index():
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^[a-z0-9].*", lock, re.MULTILINE)
    assert all("==" in line and line.endswith("\\") for line in pinned)
    assert "://" not in lock
    assert "--index" not in lock


def test_train_runs_all_stages_and_registers_last():
    configure_project("project")
    pipelines = register_pipelines()
    assert {node.name for name in TRAIN for node in pipelines[name].nodes} == {
        n.name for n in pipelines["train"].nodes
    }
    # Whatever fails, fails before: a failed run leaves no registered version.
    assert pipelines["train"].nodes[-1].outputs == ["registered_model"]
