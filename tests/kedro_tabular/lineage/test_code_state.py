"""The commit and the uncommitted changes of a run: all that is needed to reproduce it, and no secret."""

import subprocess

import pytest
from kedro_tabular.lineage.code_state import Archive, describe_code
from kedro_tabular.lineage.git import GitError, run_git

from ...repositories import commit, git


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    return tmp_path


def describe(folder, *sources, **archive):
    return describe_code(folder, Archive(**archive), lambda: {(folder / name).resolve() for name in sources})


def write(folder, name, content="text\n"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def left_out(code):
    return code.tags["git.left_out"].split(", ")


def test_code_outside_git_or_before_the_first_commit_has_no_commit(tmp_path):
    assert describe(tmp_path).tags == {"git.commit": "none: not a git repository"}
    git(tmp_path, "init", "--quiet")
    (tmp_path / "project").mkdir()
    for folder in (tmp_path, tmp_path / "project"):
        assert describe(folder).tags == {"git.commit": "none: no commit yet"}


def test_committed_code_is_clean_and_a_new_dvc_lock_does_not_count(repository):
    write(repository, "a.py")
    commit(repository)
    write(repository, "dvc.lock", "stages: {}\n")
    code = describe(repository)
    assert code.diff == b""
    assert code.tags["git.dirty"] == "false"
    assert code.tags["git.branch"] == "main"
    assert len(code.tags["git.commit"]) == 40


@pytest.mark.parametrize("subfolder", [".", "models/churn"])
def test_the_diff_takes_a_clone_to_the_same_state_new_and_deleted_files_included(
    repository, tmp_path_factory, subfolder
):
    project = repository / subfolder
    for name in ("a.py", "gone.py", "src/windows.py", "src/renamed.py"):
        write(project, name, "a = 1\n" * 20)
    commit(repository)
    clone = tmp_path_factory.mktemp("clone")
    subprocess.run(["git", "clone", "--quiet", repository, clone], check=True)
    write(project, "a.py", "a = 2\n")
    write(project, "new ä.py", "b = 3\n")
    write(project, "staged.py", "c = 3\n")
    write(project, "src/windows.py", "naïve = 1\r\n".encode("latin-1"))
    (project / "gone.py").unlink()
    git(project, "add", "staged.py")
    git(project, "mv", "src/renamed.py", "src/moved.py")
    # settings of the user, with which `git diff` prints something else
    for setting in (("diff.noprefix", "true"), ("color.ui", "always"), ("diff.external", "false")):
        git(repository, "config", *setting)
    before = run_git(repository, "status", "--short")

    code = describe(project, "new ä.py")

    assert code.tags["git.dirty"] == "true"
    subprocess.run(["git", "-C", clone, "apply"], input=code.diff, check=True)
    copy = clone / subfolder
    for name in ("a.py", "new ä.py", "staged.py", "src/windows.py", "src/moved.py"):
        assert (copy / name).read_bytes() == (project / name).read_bytes()
    assert not (copy / "gone.py").exists()
    assert not (copy / "src/renamed.py").exists()
    assert run_git(repository, "status", "--short") == before


SECRETS = [".env", ".env.production", "conf/production/credentials.yml", "deploy/id_rsa", "server.pem", "tls.key"]
DATA = ["customers.csv", "data/01_raw/table.json", "orders.parquet"]


def test_secrets_keys_data_and_what_the_run_does_not_read_are_left_out_and_named(repository):
    write(repository, "a.py")
    commit(repository)
    new = [*SECRETS, *DATA, "notes.txt", "src/new.py"]
    for name in new:
        write(repository, name, "hunter2\n")
    # even if the run would read them
    code = describe(repository, *SECRETS, *DATA, "src/new.py")
    assert sorted(left_out(code)) == sorted(set(new) - {"src/new.py"})
    assert code.diff.count(b"hunter2") == 1
    assert b"src/new.py" in code.diff
    assert code.tags["git.dirty"] == "true"


def test_a_secret_or_data_that_git_tracks_is_left_out_too_and_the_code_is_not_clean(repository):
    for name in (*SECRETS, *DATA, "a.py"):
        write(repository, name)
    commit(repository)
    for name in (*SECRETS, *DATA):
        write(repository, name, "hunter2\n")
    git(repository, "rm", "--quiet", "--force", "server.pem")
    code = describe(repository)
    assert b"hunter2" not in code.diff
    assert set(left_out(code)) >= {*SECRETS, *DATA}
    assert code.tags["git.dirty"] == "true"


def test_a_large_file_is_left_out_whether_it_is_new_changed_or_deleted(repository):
    for name in ("changed.txt", "deleted.txt", "small.txt"):
        write(repository, name, b"x" * (100 if name == "small.txt" else 4_000_000))
    commit(repository)
    write(repository, "changed.txt", "short\n")
    write(repository, "small.txt", "other\n")
    write(repository, "new.py", b"#" * 4_000_000)
    (repository / "deleted.txt").unlink()
    code = describe(repository, "new.py")
    assert left_out(code) == ["changed.txt", "deleted.txt", "new.py"]
    assert len(code.diff) < 1000
    assert left_out(describe(repository, "new.py", max_file_kb=10_000)) == ["none"]


def test_names_of_ones_own_are_left_out(repository):
    write(repository, "a.py")
    commit(repository)
    write(repository, "src/tokens/mine.py")
    assert left_out(describe(repository, "src/tokens/mine.py")) == ["none"]
    assert left_out(describe(repository, "src/tokens/mine.py", never=["tokens"])) == ["src/tokens/mine.py"]


def test_many_files_that_are_left_out_are_counted(repository):
    write(repository, "a.py")
    commit(repository)
    for number in range(1000):
        write(repository, f"notes/{number:04}.txt")
    named = describe(repository).tags["git.left_out"]
    assert named.startswith("notes/0000.txt, notes/0001.txt")
    assert named.endswith("and 980 more")


def test_the_usual_secrets_are_ignored_by_git(repository, request):
    write(repository, ".gitignore", (request.config.rootpath / ".gitignore").read_text())
    for name in (".env", ".env.local", "conf/production/credentials.yml", "conf/base/credentials_s3.yml", "id_rsa"):
        assert run_git(repository, "check-ignore", name)
    for name in (".env.example", "src/project/credentials.py", "conf/base/catalog.yml", "tests/keys.py"):
        with pytest.raises(GitError):
            run_git(repository, "check-ignore", name)
