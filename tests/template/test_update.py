"""`copier update`: what the template has learnt arrives, what the user did stays."""

import shutil

import pytest

from .conftest import commit, copy, git, run_copier, texts

NODES = "pipelines/evaluation/nodes.py"
TRAINING = "conf/base/parameters_training.yml"


def edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


@pytest.fixture(scope="module")
def versions(template, tmp_path_factory):
    """The template with a second version."""
    folder = tmp_path_factory.mktemp("versions") / "template"
    git(folder.parent, "clone", "--quiet", str(template), str(folder))
    package = folder / "src" / "project"
    # Fewer files, so that it takes less long.
    for path in (package / "serving", package / "pipelines/monitoring", folder / "tests"):
        shutil.rmtree(path)
    (folder / "tests/sample").mkdir(parents=True)
    (folder / "tests/sample/test_old.py").touch()
    commit(folder, "One and a half", "v1.5.0")
    with (package / NODES).open("a") as nodes:
        nodes.write("\n\n# new in version 2\n")
    (package / "newer.py").write_text('"""New in version 2."""\n')
    (package / "terminal.py").unlink()
    (package / "pipelines/ingestion/newer.py").touch()
    (folder / "tests/sample/test_newer.py").touch()
    (folder / "tests/test_newer.py").write_text("import project.newer\n")
    (folder / "benchmarks/newer.py").touch()
    edit(folder / TRAINING, "distance_quantile: 0.9999", "distance_quantile: 0.999")
    edit(folder / "template/README.md", "## Start", "## Begin")
    edit(folder / "Makefile", "bench: data", "newer: data")
    commit(folder, "Two", "v2.0.0")
    return folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "copy"


def update(folder):
    done = run_copier("update", folder)
    assert done.returncode == 0, done.stderr
    found = texts(folder)
    assert not [path for path in found if path.endswith(".rej") or path.startswith("src/project")]
    assert not [path for path, text in found.items() if "<<<<<<<" in text or ">>>>>>>" in text]
    assert not [path for path in git(folder, "status", "--porcelain").splitlines() if path.startswith("U")]
    return found


def test_what_was_changed_and_removed_stays_so(versions, folder):
    copy(versions, folder, "--vcs-ref=v1.5.0")
    package = folder / "src" / "churn"
    edit(package / NODES, '"""', '"""My own. ')
    edit(folder / TRAINING, "max_iter: 200", "max_iter: 300")
    edit(folder / ".dvc/config", "url = storage", "url = s3://mine/dvc")
    edit(folder / "dvc.yaml", "# Written by", "# Mine, written by")
    (folder / "README.md").write_text("# My own\n")
    (folder / "notes.md").write_text("from project.x import y, and src/project\n")
    shutil.rmtree(package / "pipelines" / "ingestion")
    shutil.rmtree(folder / "tests" / "sample")
    (package / "drift.py").unlink()
    commit(folder, "Mine")
    before = texts(folder)

    after = update(folder)

    assert '"""My own.' in after[f"src/churn/{NODES}"]
    assert "# new in version 2" in after[f"src/churn/{NODES}"]
    assert "max_iter: 300" in after[TRAINING]
    assert "distance_quantile: 0.999\n" in after[TRAINING].replace("  #", "\n")
    assert "class: churn.fallback" in after[TRAINING]
    assert after["tests/test_newer.py"] == "import churn.newer\n"
    assert "src/churn/newer.py" in after
    changed = {path for path in after.keys() | before.keys() if after.get(path) != before.get(path)}
    new = {"src/churn/newer.py", "src/churn/terminal.py", "tests/test_newer.py"}
    assert changed == {f"src/churn/{NODES}", TRAINING, *new}
    assert not (package / "pipelines" / "ingestion").exists()
    assert "_commit: v2.0.0" in (folder / ".copier-answers.yml").read_text()


def test_a_table_of_ones_own_stays_where_there_was_no_sample(versions, folder):
    copy(versions, folder, "--vcs-ref=v1.5.0", sample="false")
    edit(folder / "conf/base/parameters.yml", "table: null", "table:\n  name: mine")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    own = folder / "src/churn/pipelines/ingestion"
    own.mkdir()
    (own / "nodes.py").write_text('"""Mine."""\n')
    (folder / "conf/base/parameters_ingestion.yml").write_text("mine: 1\n")
    commit(folder, "Mine")

    before, after = texts(folder), update(folder)

    kept = (
        "conf/base/parameters.yml",
        "conf/base/parameters_ingestion.yml",
        "dvc.yaml",
        "src/churn/pipelines/ingestion/nodes.py",
    )
    assert {path: after.get(path) for path in kept} == {path: before[path] for path in kept}
    assert "src/churn/newer.py" in after
    assert not [path for path in after if "tests/sample" in path or "ingestion/newer" in path]
