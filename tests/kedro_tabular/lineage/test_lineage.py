import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
import yaml
from kedro_tabular import lineage
from kedro_tabular.lineage.provenance import read_upstream

from ...repositories import git


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


def test_upstream_files_and_parameters_are_those_of_the_same_md5(tmp_path):
    stages = {
        "one": {
            "deps": [{"path": "raw", "md5": "r"}],
            "outs": [{"path": "table", "md5": "t"}],
            "params": {
                "conf/production/parameters_a.yml": {"limit": {"most": 20}},
                "conf/base/catalog.yml": {"table": {"type": "pandas.CSVDataset"}},
                "conf/base/parameters_a.yml": {"limit": {"least": 5, "most": 15}},
            },
        },
        "two": {"deps": [{"path": "table", "md5": "t"}], "outs": [{"path": "features", "md5": "f"}]},
    }
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    assert read_upstream({"features": "f"}, tmp_path) == (
        {"table": "t", "raw": "r"},
        {"limit": {"least": 5, "most": 20}},
    )
    assert read_upstream({"features": "other"}, tmp_path) == ({}, {})
    assert read_upstream({"features": "f"}, tmp_path / "nowhere") == ({}, {})


def test_a_large_file_is_hashed_in_pieces(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    tracemalloc.start()
    lineage.content_md5(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
