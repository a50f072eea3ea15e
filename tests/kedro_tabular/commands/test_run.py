"""What `kedro run` says of a wrong selection, and which runners work."""

import os
import re
import subprocess
import sys
import zipfile
from importlib.util import find_spec

import pytest

from ...conftest import copy_code, fail
from ..lineage.adopted import copy_adopted, open_store, run, runs


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_code(tmp_path_factory.mktemp("here") / "project")


@pytest.mark.usefixtures("parameters")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pipelines=trian"], "Failed to find the pipeline named 'trian'. .* Did you mean .* train"),
        (["--pipelines=data_prep", "--tags=nonsense"], "contains no nodes after applying all provided filters"),
        (["--pipelines=data_prep", "--from-nodes=nonsense"], "does not contain nodes named .'nonsense'."),
        (["--pipelines=data_prep", "--to-outputs=nonsense"], "does not contain datasets named .'nonsense'."),
        (["--runner=NoRunner"], "--runner NoRunner: module 'kedro.runner' has no attribute 'NoRunner'"),
        (["--runner=no.such.Runner"], "--runner no.such.Runner: No module named 'no'"),
        (["--pipelines=inference", "--runner=ParallelRunner"], "use --runner=ThreadRunner"),
    ],
)
def test_a_wrong_selection_ends_in_a_line(project, options, message):
    printed = fail(project, "run", *options)
    [line] = [line for line in printed.splitlines() if line.startswith("Error: ")]
    assert re.search(message, line), printed


@pytest.mark.skipif(find_spec("jupyterlab") is not None, reason="JupyterLab is installed")
def test_jupyter_lab_says_that_it_is_not_installed(project):
    assert "jupyterlab is not installed: add it to pyproject.toml" in fail(project, "jupyter", "lab")


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    """A project with a small table that has run once, in threads."""
    folder = copy_adopted(tmp_path_factory)
    run(folder, "run", "--pipelines=data_prep", "--runner=ParallelRunner")
    run(folder, "run", "--runner=ThreadRunner")
    return folder


@pytest.mark.slow
def test_a_run_in_threads_records_what_one_in_a_single_thread_does(adopted):
    [first] = runs(open_store(adopted))
    run(adopted, "run")
    second = next(found for found in runs(open_store(adopted)) if found.info.run_id != first.info.run_id)
    assert second.data.metrics.keys() == first.data.metrics.keys()
    assert second.data.params.keys() == first.data.params.keys()
    assert second.data.tags.keys() == first.data.tags.keys()
    assert len(second.inputs.dataset_inputs) == len(first.inputs.dataset_inputs)


@pytest.mark.slow
def test_the_wheel_of_kedro_package_runs_without_the_sources(adopted, tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(adopted)]
    (adopted / "README.md").write_text("A project.")
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    for name in ("data", "mlflow.db", "mlartifacts", "conf", ".telemetry"):
        (adopted / name).rename(tmp_path / name)

    def run_wheel(pipeline):
        command = [sys.executable, "-P", "-m", "project", f"--pipelines={pipeline}"]
        environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    lacking = run_wheel("packaging")
    assert lacking.returncode == 1
    assert "requirements.lock is missing: copy it here" in lacking.stderr
    assert "Traceback" not in lacking.stderr
    (adopted / "requirements.lock").rename(tmp_path / "requirements.lock")
    done = run_wheel("train")
    assert done.returncode == 0, done.stdout + done.stderr
