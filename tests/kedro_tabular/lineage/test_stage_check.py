"""A stage of DVC refuses values that DVC does not track. The stages are real processes of a copy of the project."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from ...conftest import ROOT, copy_code, fail, run_kedro
from ...repositories import commit, git

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("parameters")]  # there is no run without a table


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository with the project's code and the dvc.yaml of its pipelines."""
    folder = copy_code(tmp_path_factory.mktemp("here") / "project")
    shutil.copy(ROOT / ".gitignore", folder)
    sync(folder)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


@pytest.fixture
def project(made):
    yield made
    git(made, "reset", "--quiet", "--hard")
    git(made, "clean", "--quiet", "-d", "--force", "-x")


def sync(project, *options):
    # a process, because a stage depends on the code of its own folder
    synced = run_kedro(project, "dvc", "sync", *options)
    assert synced.returncode == 0, synced.stderr
    return synced.stdout


def write(project, file, content):
    path = project / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def read_stage(project, stage):
    return yaml.safe_load((project / "dvc.yaml").read_text())["stages"][stage]


def run_stage(project, stage="data_prep", **environment):
    """The command of a stage as DVC runs it; what it says."""
    command = read_stage(project, stage)["cmd"].replace("python", sys.executable, 1)
    variables = {"PYTHONPATH": str(project / "src"), "DVC_STAGE": stage, "DVC_ROOT": str(project), "COLUMNS": "300"}
    done = subprocess.run(
        command, cwd=project, env=os.environ | variables | environment, shell=True, capture_output=True, text=True
    )
    assert done.returncode != 0  # if for no other reason, there are no data
    assert "Traceback" not in done.stderr
    return done.stderr


def is_accepted(said):
    return "is missing" in said and "does not track" not in said


def test_a_value_of_conf_local_is_refused_with_file_key_values_and_cure(project):
    assert is_accepted(run_stage(project))
    write(project, "conf/local/parameters.yml", {"seed": 7})
    said = run_stage(project)
    tracked = yaml.safe_load((ROOT / "conf/base/parameters.yml").read_text())["seed"]
    assert f"seed: 7 in conf/local/parameters.yml, but DVC tracks {tracked} in conf/base/parameters.yml" in said
    assert "dvc exp run -S conf/base/parameters.yml:seed=7" in said
    assert not (project / "mlflow.db").exists()
    # another stage does not read it, and without DVC any value is taken
    assert is_accepted(run_stage(project, "evaluation")) == ("seed" not in str(read_stage(project, "evaluation")))
    free = run_kedro(project, "run", "--pipelines=data_prep")
    assert is_accepted(free.stderr)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("conf/local/parameters.yml", {"table": {"name": "same"}, "serving": {"port": 1}}),  # the first is set below
        ("conf/local/mlflow.yml", {"server": {"mlflow_tracking_uri": "sqlite:///other.db"}}),
        ("conf/local/parameters_unused.yml", {"serving": {"port": 9999}}),
    ],
)
def test_the_same_value_and_values_that_the_stage_does_not_read_are_accepted(project, parameters, file, content):
    if "table" in content:
        content["table"]["name"] = parameters["table"]["name"]
    write(project, file, content)
    assert is_accepted(run_stage(project))


def test_values_of_an_environment_and_of_params_are_refused(project):
    write(project, "conf/production/parameters.yml", {"seed": 7})
    said = run_stage(project, KEDRO_ENV="production")
    assert "seed: 7 in conf/production/parameters.yml" in said
    assert "kedro dvc sync --env production" in said
    path = project / "dvc.yaml"
    path.write_text(path.read_text().replace("--pipelines=data_prep", "--pipelines=data_prep --params=seed=8"))
    assert "seed: 8 in --params" in run_stage(project)


def test_an_entry_of_the_catalog_is_refused_but_not_its_credentials(project):
    entries = yaml.safe_load((ROOT / "conf/base/catalog.yml").read_text())
    entry = entries["train_table"]
    write(project, "conf/local/catalog.yml", {"train_table": entry | {"credentials": "s3"}})
    write(project, "conf/local/credentials.yml", {"s3": {}})
    assert is_accepted(run_stage(project))
    write(project, "conf/local/catalog.yml", {"train_table": entry | {"filepath": "elsewhere.parquet"}})
    said = run_stage(project)
    assert "train_table.filepath: 'elsewhere.parquet' in conf/local/catalog.yml" in said
    assert f"{entry['filepath']!r} in conf/base/catalog.yml" in said


def test_a_global_value_is_refused(project):
    path = project / "conf/base/parameters.yml"
    path.write_text(re.sub(r"(?m)^seed: .*$", "seed: ${globals:seed}", path.read_text()))
    write(project, "conf/base/globals.yml", {"seed": 5})
    sync(project)
    assert {"conf/base/globals.yml": ["seed"]} in read_stage(project, "data_prep")["params"]
    assert is_accepted(run_stage(project))
    write(project, "conf/local/globals.yml", {"seed": 6})
    assert "seed: 6 in conf/local" in run_stage(project)


def test_a_key_that_dvc_yaml_lacks_is_named(project):
    path = project / "dvc.yaml"
    path.write_text(path.read_text().replace("      - seed\n", ""))
    assert "data_prep reads seed of conf/base/parameters.yml, which dvc.yaml lacks: kedro dvc sync" in run_stage(
        project
    )


def test_an_environment_becomes_a_dependency(project):
    write(project, "conf/production/parameters.yml", {"seed": 7})
    said = sync(project, "--env", "production")
    assert "for conf/production" in said
    stage = read_stage(project, "data_prep")
    assert stage["cmd"].endswith("--env=production")
    assert {"conf/production/parameters.yml": ["seed"]} in stage["params"]
    assert is_accepted(run_stage(project))
    assert is_accepted(run_stage(project, KEDRO_ENV="local"))  # the command names it
    # a key that was added since
    write(project, "conf/production/parameters_data_prep.yml", {"split": {"train": "2000-01-01"}})
    assert "split.train: '2000-01-01' in conf/production/parameters_data_prep.yml" in run_stage(project)
    assert "+      - split" in run_kedro(project, "dvc", "check").stderr
    sync(project)  # keeps the environment
    assert is_accepted(run_stage(project))
    assert run_kedro(project, "dvc", "check").returncode == 0
    sync(project, "--env", "base")
    git(project, "diff", "--exit-code", "--", "dvc.yaml")


def test_an_environment_that_a_clone_lacks_is_no_dependency(project):
    before = (project / "dvc.yaml").read_text()
    assert "git ignores conf/local" in fail(project, "dvc", "sync", "--env", "local")
    assert "no folder conf/staging" in fail(project, "dvc", "sync", "--env", "staging")
    assert (project / "dvc.yaml").read_text() == before


def test_the_code_of_another_folder_is_refused(project, tmp_path):
    other = copy_code(tmp_path / "other")
    path = project / "dvc.yaml"
    path.write_text(re.sub(r"python src/(\w+)", r"python -m \1", path.read_text()))
    said = run_stage(project, PYTHONPATH=str(other / "src"))
    assert f"would run the code of {other}" in said


def test_the_estimators_own_module_is_a_dependency(project):
    (package,) = (path.parent.name for path in (project / "src").glob("*/settings.py"))
    module = project / "src" / package / "own.py"
    module.write_text("from sklearn.dummy import DummyClassifier\n\nclass Own(DummyClassifier):\n    pass\n")
    path = project / "conf/base/parameters_training.yml"
    parameters = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(parameters | {"estimator": {"class": f"{package}.own.Own", "kwargs": {}}}))
    sync(project)
    assert f"src/{package}/own.py" in json.dumps(read_stage(project, "training")["deps"])
