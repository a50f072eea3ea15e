"""A repository of the template with a version, and copies of it by copier and by the script alone."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import ROOT

SCRIPT = runpy.run_path(str(ROOT / "template" / "make_copy.py"))
ANSWERS = {"project_name": 'The "Churn" model', "package": "churn", "description": "Who leaves, and when: 1\\2"}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, message: str, tag: str | None = None) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    if tag:
        git(folder, "tag", tag)
        git(folder, "repack", "-adq")  # copier looks at each file of .git, too


def texts(folder: Path) -> dict[str, str]:
    """What git does not ignore in a folder, without the answers: text by path."""
    listed = git(folder, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    paths = [path for path in listed if (folder / path).exists() and path != ".copier-answers.yml"]
    return {path: (folder / path).read_text(encoding="utf-8", errors="replace") for path in paths}


@pytest.fixture(scope="package", autouse=True)
def identity():
    """Git knows the user, and nothing else of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Someone")
            patch.setenv(f"GIT_{role}_EMAIL", "someone@example.org")
        yield


@pytest.fixture(scope="package")
def template(identity, tmp_path_factory):
    """A repository with the working tree as version 1."""
    folder = tmp_path_factory.mktemp("template")
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for path in listed:
        if (ROOT / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
    git(folder, "init", "--quiet")
    commit(folder, "One", "v1.0.0")
    return folder


def run_copier(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`copier ARGUMENTS` as a process of its own, which takes the answers it is given and the defaults."""
    command = [Path(sys.executable).with_name("copier"), *arguments, "--trust", "--defaults", "--quiet"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def copy(source: Path, folder: Path, *options: str, **answers: str) -> str:
    """Copy a version of the template by copier; what the copying says."""
    data = [f"--data={key}={value}" for key, value in (ANSWERS | answers).items()]
    done = run_copier("copy", source, folder, *data, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy_alone(source: Path, folder: Path, package: str = "churn", *options: str) -> Path:
    """Turn a clone of the template into a copy, by the script alone."""
    git(source, "clone", "--quiet", str(source), str(folder))
    about = ["--name", ANSWERS["project_name"], "--description", ANSWERS["description"]]
    script = [sys.executable, "template/make_copy.py", package, *about, *options]
    subprocess.run(script, cwd=folder, check=True)
    return folder


@pytest.fixture(scope="package")
def copied(template, tmp_path_factory) -> Path:
    """A copy with the sample."""
    folder = tmp_path_factory.mktemp("copied") / "churn"
    copy(template, folder)
    return folder


@pytest.fixture(scope="package")
def bare(template, tmp_path_factory) -> Path:
    """A copy without the sample."""
    folder = tmp_path_factory.mktemp("bare") / "churn"
    copy(template, folder, sample="false")
    return folder
