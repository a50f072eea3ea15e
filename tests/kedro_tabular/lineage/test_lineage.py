import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kedro_tabular.lineage import provenance as lineage

from ...repositories import commit, git


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    return tmp_path


def test_a_file_and_a_folder_have_the_md5_of_dvc(repository):
    folder = repository / "folder" / "inner"
    folder.mkdir(parents=True)
    for path in (repository / "file", folder / "one.txt", folder.parent / "zwei ä.bin"):
        path.write_bytes(path.name.encode())
    dvc = Path(sys.executable).with_name("dvc")
    subprocess.run([dvc, "init", "--quiet"], cwd=repository, check=True)
    subprocess.run([dvc, "add", "--quiet", "file", "folder"], cwd=repository, check=True)
    for name in ("file", "folder"):
        md5 = lineage.read_dvc_file(name, repository)["md5"]
        assert lineage.content_md5(repository / name) == md5
    assert md5.endswith(".dir")


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    before = lineage.content_md5(path)
    path.write_text("three")
    assert lineage.content_md5(path) != before


def test_code_outside_git_or_before_the_first_commit_has_no_commit(tmp_path):
    assert lineage.describe_code(tmp_path).tags == {"git.commit": "none: not a git repository"}
    git(tmp_path, "init", "--quiet")
    assert lineage.describe_code(tmp_path).tags == {"git.commit": "none: no commit yet"}


def test_committed_code_is_clean_and_a_new_dvc_lock_does_not_count(repository):
    (repository / "a.py").write_text("a = 1\n")
    commit(repository)
    (repository / "dvc.lock").write_text("stages: {}\n")
    code = lineage.describe_code(repository)
    assert code.diff == b""
    assert code.tags["git.dirty"] == "false"
    assert code.tags["git.branch"] == "main"
    assert len(code.tags["git.commit"]) == 40


def test_the_diff_takes_a_clone_to_the_same_state_new_and_deleted_files_included(repository, tmp_path_factory):
    (repository / "a.py").write_text("a = 1\n")
    (repository / "gone.py").write_text("")
    commit(repository)
    clone = tmp_path_factory.mktemp("clone")
    subprocess.run(["git", "clone", "--quiet", repository, clone], check=True)
    (repository / "a.py").write_text("a = 2\n")
    (repository / "new.py").write_text("b = 3\n")
    (repository / "windows.csv").write_bytes("naïve;1\r\n".encode("latin-1"))
    (repository / "gone.py").unlink()
    before = subprocess.run(["git", "-C", repository, "status", "--short"], capture_output=True, check=True).stdout

    code = lineage.describe_code(repository)

    assert code.tags["git.dirty"] == "true"
    subprocess.run(["git", "-C", clone, "apply"], input=code.diff, check=True)
    assert (clone / "a.py").read_text() == "a = 2\n"
    assert (clone / "new.py").read_text() == "b = 3\n"
    assert (clone / "windows.csv").read_bytes() == (repository / "windows.csv").read_bytes()
    assert not (clone / "gone.py").exists()
    after = subprocess.run(["git", "-C", repository, "status", "--short"], capture_output=True, check=True).stdout
    assert after == before


def test_upstream_files_and_parameters_are_those_of_the_same_md5(tmp_path):
    stages = {
        "one": {
            "deps": [{"path": "raw", "md5": "r"}],
            "outs": [{"path": "table", "md5": "t"}],
            "params": {"conf/a.yml": {"limit": 15}},
        },
        "two": {"deps": [{"path": "table", "md5": "t"}], "outs": [{"path": "features", "md5": "f"}]},
    }
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    assert lineage.read_upstream({"features": "f"}, tmp_path) == ({"table": "t", "raw": "r"}, {"limit": 15})
    assert lineage.read_upstream({"features": "other"}, tmp_path) == ({}, {})
    assert lineage.read_upstream({"features": "f"}, tmp_path / "nowhere") == ({}, {})


def test_a_file_is_stored_in_its_own_remote_or_in_the_default_one(tmp_path):
    (tmp_path / ".dvc").mkdir()
    config = "[core]\n    remote = storage\n"
    for name in ("storage", "other"):
        config += f"['remote \"{name}\"']\n    url = in/{name}\n"
    (tmp_path / ".dvc" / "config").write_text(config)
    (tmp_path / "raw.csv.dvc").write_text("outs:\n- {path: raw.csv, remote: other}\n")
    for path, remote in (("raw.csv", "other"), ("table.csv", "storage")):
        assert lineage.remote_name(path, tmp_path) == remote
        assert (
            lineage.remote_uri(path, "abcdef", tmp_path)
            == (tmp_path / ".dvc" / "in" / remote / "files/md5/ab/cdef").as_uri()
        )
