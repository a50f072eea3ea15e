"""DVC's remotes: where content is stored, without the secrets in an address."""

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from kedro_tabular.lineage.dataset_inputs import find_source
from kedro_tabular.lineage.remotes import main_project, mask_secrets, remote_name, remote_uri
from mlflow.data.meta_dataset import MetaDataset

from ...repositories import git
from ..registering import empty_store


def configure(folder, url):
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text(f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {url}\n")


def test_a_file_is_stored_in_its_own_remote_or_in_the_default_one(tmp_path):
    configure(tmp_path, "in/storage")
    with (tmp_path / ".dvc" / "config").open("a") as config:
        config.write("['remote \"other\"']\n    url = in/other\n")
    (tmp_path / "raw.csv.dvc").write_text("outs:\n- {path: raw.csv, remote: other}\n")
    for path, remote in (("raw.csv", "other"), ("table.csv", "storage")):
        assert remote_name(path, tmp_path) == remote
        stored = tmp_path / ".dvc" / "in" / remote / "files/md5/ab/cdef"
        assert remote_uri(path, "abcdef", tmp_path) == stored.as_uri()


def test_the_configuration_of_dvc_may_be_above_the_project(tmp_path):
    configure(tmp_path, "in/storage")
    project = tmp_path / "models" / "churn"
    project.mkdir(parents=True)
    assert remote_uri("a.csv", "abcdef", project) == (tmp_path / ".dvc/in/storage/files/md5/ab/cdef").as_uri()


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://user:p%40ss@host.example/dvc", "https://***@host.example/dvc"),
        ("https://TOKEN@host.example:8080/dvc", "https://***@host.example:8080/dvc"),
        ("https://host.example/a%20b?sig=TOKEN&sv=1", "https://host.example/a%20b?***"),
        ("ssh://user:hunter2@host.example/dvc#part", "ssh://***@host.example/dvc"),
        ("webdavs://[hunter2@host.example/dvc", "webdavs://***"),
        ("s3://bucket/dvc@2", "s3://bucket/dvc@2"),
        ("file:///a%20b/dvc", "file:///a%20b/dvc"),
    ],
)
def test_user_password_and_query_of_an_address_are_masked(url, masked):
    assert mask_secrets(url) == masked


@pytest.mark.parametrize("scheme", ["https", "ssh", "azure", "webdavs"])
def test_the_address_of_a_dataset_is_recorded_without_its_token(tmp_path, scheme):
    configure(tmp_path, f"{scheme}://user:hun%40ter2@host.example/dvc")
    (tmp_path / "mlflow.db").write_bytes(empty_store())
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    uri = remote_uri("table.csv", "abcdef", tmp_path)
    with mlflow.start_run(experiment_id="0") as run:
        mlflow.log_input(MetaDataset(find_source(uri), name="table", digest="abcdef"))
    (used,) = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    assert f"{scheme}://***@host.example/dvc/files/md5/ab/cdef" in used.dataset.source
    assert b"ter2" not in (tmp_path / "mlflow.db").read_bytes()


def test_the_token_in_the_address_of_the_git_remote_is_not_recorded(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import mlflow\nwith mlflow.start_run() as run:\n    print(run.info.run_id)\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "remote", "add", "origin", "https://user:hun%40ter2-of-the-tests@host.example/code.git")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Start")
    (tmp_path / "mlflow.db").write_bytes(empty_store())
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    command = [sys.executable, str(script)]
    subprocess.run(command, cwd=tmp_path, env={"MLFLOW_TRACKING_URI": uri, "PATH": "/usr/bin:/bin"}, check=True)
    content = (tmp_path / "mlflow.db").read_bytes()
    assert b"host.example/code.git" in content
    assert b"ter2-of-the-tests" not in content


@pytest.mark.parametrize("subfolder", [".", "models/churn"])
def test_a_temporary_workspace_belongs_to_the_project_that_dvc_made_it_of(tmp_path, subfolder):
    main = tmp_path / subfolder
    for root in (tmp_path, tmp_path / ".dvc/tmp/exps/standalone/tmpabc"):
        (root / ".dvc").mkdir(parents=True, exist_ok=True)
        (root / subfolder).mkdir(parents=True, exist_ok=True)
    assert main_project(tmp_path / ".dvc/tmp/exps/standalone/tmpabc" / subfolder).resolve() == main.resolve()
    assert main_project(main) == main
    assert main_project(Path("/")) == Path("/")
