"""Lists that copier and the script need are whole, and dvc.lock, which copies make for themselves."""

import re
import sys
from importlib.metadata import packages_distributions
from keyword import kwlist

import yaml
from kedro_tabular import lineage

from ..conftest import ROOT
from .conftest import SCRIPT


def test_copier_excludes_what_the_script_removes():
    excluded = yaml.safe_load((ROOT / "copier.yml").read_text())["_exclude"]
    anchored = {pattern.removeprefix("/") for pattern in excluded if pattern.startswith("/")}
    assert anchored == {path for path in SCRIPT["MACHINERY"] if not path.endswith(".jinja")}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_names_that_are_taken_are_reserved():
    lock = (ROOT / "requirements.lock").read_text()
    locked = {normal(name) for name in re.findall(r"^([\w.-]+)", lock, re.MULTILINE)}
    installed = packages_distributions().items()
    imported = {name for name, wheels in installed if locked & set(map(normal, wheels))}
    taken = {*kwlist, *sys.stdlib_module_names, *imported}
    reserved = (ROOT / "template" / "reserved.txt").read_text().split()
    assert not {name for name in taken if re.fullmatch("[a-z][a-z0-9_]*", name)} - set(reserved)


def test_dvc_lock_belongs_to_the_code_at_hand():
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())
    code = [dep for stage in lock["stages"].values() for dep in stage["deps"] if dep["path"].startswith("src/")]
    assert any(dep["md5"].endswith(".dir") for dep in code)
    stale = [dep["path"] for dep in code if lineage.content_md5(ROOT / dep["path"]) != dep["md5"]]
    assert not stale, "run `dvc repro` and commit dvc.lock"
