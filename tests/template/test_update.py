"""`copier update`: later template changes arrive, what the user did stays, and the library is replaced as a whole."""

import shutil
import subprocess
import sys

import pytest

from ..conftest import run_kedro
from .conftest import commit, copy, git, run_copier, texts
from .test_howto import make_orders

pytestmark = pytest.mark.slow

NODES = "pipelines/evaluation/nodes.py"
TRAINING = "conf/base/parameters_training.yml"
LIBRARY = "src/kedro_tabular"
FEATURE = '\n\ndef per_item(amount, items):\n    """The price of an item."""\n    return amount / items\n'


def edit(path, before, after):
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def append(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.fixture(scope="module")
def versions(template, tmp_path_factory):
    """The template with a second version: a node, a default, three library files and some others are changed."""
    folder = tmp_path_factory.mktemp("versions") / "template"
    git(folder.parent, "clone", "--quiet", str(template), str(folder))
    package, library = folder / "src" / "project", folder / LIBRARY
    shutil.rmtree(folder / "tests")  # fewer files, so that it takes less long
    (folder / "tests/sample").mkdir(parents=True)
    (folder / "tests/sample/test_old.py").touch()
    commit(folder, "One and a half", "v1.5.0")
    append(package / NODES, "\n\n# new in version 2\n")
    append(library / "monitoring/drift.py", "\n\n# new in version 2\n")
    (library / "monitoring/newer.py").write_text('"""New in version 2."""\n')
    (library / "commands/terminal.py").unlink()
    (package / "newer.py").write_text('"""New in version 2."""\n')
    (package / "pipelines/ingestion/newer.py").touch()
    (folder / "tests/sample/test_newer.py").touch()
    (folder / "tests/test_newer.py").write_text("import project.newer\n")
    (folder / "benchmarks/newer.py").touch()
    edit(folder / TRAINING, "distance_quantile: 0.9999", "distance_quantile: 0.999")
    edit(folder / "template/README.md", "## Start", "## Begin")
    edit(folder / "Makefile", "bench: data", "newer: data")
    commit(folder, "Two", "v2.0.0")
    return folder


NEW = {
    f"{LIBRARY}/monitoring/drift.py",
    f"{LIBRARY}/monitoring/newer.py",
    f"{LIBRARY}/commands/terminal.py",
    ".kedro_tabular.md5",
    "src/churn/newer.py",
    "tests/test_newer.py",
}


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


def changes(before, after):
    return {path for path in after.keys() | before.keys() if after.get(path) != before.get(path)}


def check_release(folder):
    """What `make check` says of the library."""
    command = [sys.executable, "-m", "kedro_tabular.lineage.release"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


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
    commit(folder, "Mine")
    before = texts(folder)

    after = update(folder)

    assert '"""My own.' in after[f"src/churn/{NODES}"]
    assert "# new in version 2" in after[f"src/churn/{NODES}"]
    assert "max_iter: 300" in after[TRAINING]
    assert "distance_quantile: 0.999\n" in after[TRAINING].replace("  #", "\n")
    assert after["tests/test_newer.py"] == "import churn.newer\n"
    assert changes(before, after) == {f"src/churn/{NODES}", TRAINING, *NEW}
    assert not (package / "pipelines" / "ingestion").exists()
    assert "_commit: v2.0.0" in (folder / ".copier-answers.yml").read_text()


def test_a_project_with_a_table_a_feature_and_a_metric_of_its_own_is_updated_once(versions, folder):
    copy(versions, folder, "--vcs-ref=v1.5.0", sample="false")
    make_orders().to_csv(folder.parent / "orders.csv", index=False)
    adopted = run_kedro(folder, "adopt", "../orders.csv", "--target", "returned", "--time", "ordered_at")
    assert adopted.returncode == 0, adopted.stderr
    package = folder / "src" / "churn"
    append(package / "features.py", FEATURE)
    edit(folder / "conf/base/parameters_feature_engineering.yml", "derived: {}", "derived: {per_item: [amount, items]}")
    edit(package / "metrics.py", "ERRORS: set[str] = set()", 'ERRORS: set[str] = {"missed"}')
    edit(package / NODES, '"""', '"""My own. ')
    commit(folder, "Mine")
    before = texts(folder)

    after = update(folder)

    assert changes(before, after) == {f"src/churn/{NODES}", TRAINING, *NEW}
    assert FEATURE in after["src/churn/features.py"]
    assert '{"missed"}' in after["src/churn/metrics.py"]
    assert check_release(folder).returncode == 0
    commit(folder, "Update")
    assert update(folder) == after
    assert git(folder, "status", "--porcelain") == ""


def test_library_files_that_were_edited_are_named_before_they_conflict(versions, folder):
    copy(versions, folder, "--vcs-ref=v1.5.0", sample="false")
    assert check_release(folder).returncode == 0
    append(folder / LIBRARY / "monitoring/drift.py", "\n\n# mine\n")
    (folder / LIBRARY / "files.py").unlink()
    checked = check_release(folder)
    assert checked.returncode == 1
    named = [line.strip() for line in checked.stderr.splitlines() if line.startswith("  ")]
    assert named == [f"{LIBRARY}/files.py", f"{LIBRARY}/monitoring/drift.py"]
    manifest = folder / ".kedro_tabular.md5"
    kept = [line for line in manifest.read_text().splitlines() if not line.endswith(tuple(named))]
    manifest.write_text("\n".join(kept) + "\n")
    assert check_release(folder).returncode == 0


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
