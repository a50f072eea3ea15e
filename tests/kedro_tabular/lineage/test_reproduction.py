"""`kedro lineage` and `kedro reproduce` in a project that is a subfolder of its repository."""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml
from kedro_tabular.lineage.reproduction import ReproductionError, _install_unlocked

from ...conftest import run_kedro
from ...repositories import commit, git
from .adopted import adopt, open_store, run, versions

pytestmark = pytest.mark.slow

# A library of an estimator, as pip would have installed it.
LIGHTLY = """
from sklearn.tree import DecisionTreeClassifier

class Classifier(DecisionTreeClassifier):
    pass
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A subfolder of a repository, in which two versions were trained by `kedro run`."""
    repository = tmp_path_factory.mktemp("here") / "repository"
    project = adopt(repository, "models/orders")
    (repository / "README.md").write_text("Several projects.\n")
    commit(repository)
    run(project, "run", "--pipeline=train")
    run(project, "run", "--pipeline=train", "--params=estimator.kwargs.max_iter=10,seed=5")
    return project


def test_an_older_version_is_verified_though_its_stages_outputs_are_gone(project):
    said = run(project, "lineage", "1", "--verify")
    assert "verified" in said
    assert re.search(r"data/06_models/model\.skops \(\w+\) is not kept: training makes it again", said)


def test_raw_data_and_registered_artifacts_must_be_there(project):
    (raw,) = project.glob("data/01_raw/*.csv")
    kept = raw.read_bytes()
    raw.unlink()
    shutil.move(project / ".dvc" / "cache", project / ".dvc" / "away")
    (model,) = (project / "mlartifacts").rglob(f"*{model_id(project)}*/**/model.skops")
    model.rename(model.with_suffix(".away"))
    checked = run_kedro(project, "lineage", "1", "--verify")  # a process, whose pipelines are those of the project
    model.with_suffix(".away").rename(model)
    shutil.rmtree(project / ".dvc" / "cache", ignore_errors=True)
    shutil.move(project / ".dvc" / "away", project / ".dvc" / "cache")
    raw.write_bytes(kept)
    assert checked.returncode != 0
    assert f"data: data/01_raw/{raw.name}" in checked.stderr  # all of them, not the first alone
    assert "model.skops of version 1 is missing" in checked.stderr


def model_id(project):
    return open_store(project).get_model_version("orders", "1").source.removeprefix("models:/")


def test_a_version_is_reproduced_with_its_uncommitted_changes(project):
    (package,) = (path.parent for path in project.glob("src/*/settings.py"))
    nodes = package / "pipelines" / "training" / "nodes.py"
    text = nodes.read_text()
    nodes.write_text(
        f"from ...leaves import LEAVES\n{text}".replace(
            "    return fit_on_features(", "    unfitted.set_params(max_leaf_nodes=LEAVES)\n    return fit_on_features("
        )
    )
    (package / "leaves.py").write_text("LEAVES = 3\n")
    (package / "scratch.py").write_text("PASSWORD = 'hunter2'\n")
    for secret in (".env", "conf/production/credentials.yml", "customers.csv"):
        (project / secret).parent.mkdir(exist_ok=True)
        (project / secret).write_text("hunter2\n")
        git(project, "add", "--force", "--intent-to-add", secret)
    run(project, "run", "--pipeline=train")
    git(project, "reset", "--quiet", "--hard")
    for path in (package / "leaves.py", package / "scratch.py"):
        path.unlink()

    new = max(versions(open_store(project)), key=int)
    tags = versions(open_store(project))[new]
    left_out = f".env, conf/production/credentials.yml, customers.csv, src/{package.name}/scratch.py"
    assert tags["git.left_out"] == left_out
    assert left_out in run(project, "lineage", new)
    for path in (project / "mlartifacts").rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes()
    assert "reproduced: identical model, metrics and predictions" in run(project, "reproduce", new)
    listed = subprocess.run(["git", "-C", project, "worktree", "list"], capture_output=True, check=True)
    assert listed.stdout.count(b"\n") == 1


@pytest.fixture
def lightly(tmp_path, monkeypatch):
    """A folder with an estimator's library that is not in the lock file."""
    folder = tmp_path / "installed"
    metadata = folder / "lightly-4.7.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lightly\nVersion: 4.7\n")
    (folder / "lightly.py").write_text(LIGHTLY)
    return folder


def test_an_estimator_of_a_library_that_is_not_locked(project, lightly, monkeypatch):
    training, general = (project / "conf/base" / f"{name}.yml" for name in ("parameters_training", "parameters"))
    for path, values in (
        (training, {"estimator": {"class": "lightly.Classifier", "kwargs": {"max_depth": 3}}}),
        (general, {"trusted_types": ["*"]}),
    ):
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(lightly))
        environment = os.environ | {"PYTHONPATH": f"{project / 'src'}{os.pathsep}{lightly}", "COLUMNS": "300"}
        kedro = [sys.executable, "-m", "kedro"]
        trained = subprocess.run(
            [*kedro, "run", "--pipeline=train"],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    said = " ".join((trained.stdout + trained.stderr).split())
    assert "the environment is not that of requirements.lock: lightly==4.7 (not in requirements.lock)" in said
    new = max(versions(open_store(project)), key=int)
    assert versions(open_store(project))[new]["env.outside_lock"] == "lightly==4.7"
    assert "lightly==4.7" in run(project, "models", "--diff", "1", new)
    assert "The environment was not that of the lock file: lightly==4.7" in run(project, "lineage", new)
    commit(project)
    refused = run_kedro(project, "reproduce", new)
    assert refused.returncode != 0
    assert "lightly==4.7. Install them, or use --install" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An empty virtual environment, and no index of packages but a folder of wheels."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / ".venv"], check=True)
    for variable in ("PIP_NO_INDEX", "UV_NO_INDEX"):
        monkeypatch.setenv(variable, "1")
    for variable in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(variable, str(tmp_path))
    return tmp_path / ".venv"


def test_a_library_that_was_not_locked_is_installed(environment, tmp_path):
    info = "lightly-4.7.dist-info"
    files = {
        "lightly.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: lightly\nVersion: 4.7\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(tmp_path / "lightly-4.7-py3-none-any.whl", "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
    _install_unlocked(["lightly==4.7"], environment)
    subprocess.run([environment / "bin" / "python", "-c", "import lightly"], check=True)


def test_a_library_that_can_not_be_installed_is_named(environment):
    _install_unlocked([], environment)
    with pytest.raises(ReproductionError, match=r"not in its lock file: lightly==4\.7\. They can't be installed"):
        _install_unlocked(["lightly==4.7"], environment)
    with pytest.raises(ReproductionError, match="install them yourself"):
        _install_unlocked(["mine @ file:///mine"], environment)
