"""The local cache after its process was killed: a version is there as a whole, or not at all."""

import os
import shutil
import signal
import sys
from functools import partial
from pathlib import Path

import mlflow
import pytest
from kedro_tabular.serving.local_cache import LocalCache, identify
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from ...conftest import fit_packaged
from ..registering import make_registry, register


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    model = fit_packaged("binary")
    register(make_registry(tmp_path_factory.mktemp("registry"), model), model)
    return MlflowClient().get_model_version("small", "1")


def make_cache(folder: Path) -> LocalCache:
    return LocalCache(folder, mlflow.get_registry_uri())


def fetch(folder: Path, version: ModelVersion) -> Path:
    return make_cache(folder).fetch(version)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def killed_at(event: str, number: int, action) -> bool:
    """Run an action in a process that kills itself before the call of that number; whether it came to that."""
    child = os.fork()
    if child == 0:
        left = [number]

        def count(name, arguments):
            if name == event:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            action()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.mark.parametrize("event", ["os.remove", "os.rmdir"])
def test_killed_while_a_version_is_removed_no_half_of_it_is_taken_for_a_version(tmp_path, version, event):
    folder = make_cache(tmp_path / "served").fetch(version)
    whole, number = files(folder), 0
    shutil.copytree(folder, tmp_path / "copy")
    killed = True
    while killed:
        number += 1
        killed = killed_at(event, number, lambda: make_cache(tmp_path / "served").evict("1"))
        cache = make_cache(tmp_path / "served")
        assert cache.read_identity(folder) is None or files(folder) == whole
        shutil.rmtree(tmp_path / "served")
        shutil.copytree(tmp_path / "copy", folder)
    assert number > 2


@pytest.mark.parametrize("event", ["shutil.copyfile", "os.rename"])
def test_killed_while_a_version_is_copied_the_next_process_copies_it_and_leaves_nothing_else(tmp_path, version, event):
    number, killed = 0, True
    while killed:
        number += 4
        served = tmp_path / f"{number}"
        call = number if event == "shutil.copyfile" else 1
        killed = killed_at(event, call, partial(fetch, served, version))
        cache, folder = make_cache(served), fetch(served, version)
        assert cache.read_identity(folder) == identify(version)
        artifacts = files(folder)
        assert {"MLmodel", "artifacts/model.skops", "version.json"} <= set(artifacts)
        cache.set_last_good_version(identify(version))
        assert {path.name for path in served.iterdir()} == {"1", ".lock", "version.json"}
        killed = killed and event == "shutil.copyfile"
