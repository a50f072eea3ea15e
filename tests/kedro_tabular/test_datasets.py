import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from kedro_tabular.datasets import FileSizesDataset, FileVersionsDataset, ParquetChunksDataset, SkopsDataset
from sklearn.linear_model import Ridge


def fit(slope):
    return Ridge().fit(np.array([[0.0], [1.0]]), np.array([0.0, slope]))


def test_a_stored_object_is_read_once_until_it_is_released(tmp_path):
    dataset = SkopsDataset(str(tmp_path / "models" / "model.skops"), trusted=[])
    assert not dataset.exists()
    dataset.save(fit(1.0))
    assert dataset.load() is dataset.load()
    before = dataset.load()
    dataset.release()
    assert dataset.load() is not before
    assert dataset.load().coef_ == before.coef_


def test_a_file_that_another_process_has_changed_is_read_again(tmp_path):
    dataset, other = (SkopsDataset(str(tmp_path / "model.skops"), trusted=[]) for _ in range(2))
    dataset.save(fit(1.0))
    other.save(fit(2.0))
    os.utime(tmp_path / "model.skops", ns=(1, 1))  # a clock that ticks slowly must not hide the change
    assert dataset.load().coef_ == fit(2.0).coef_


def test_file_versions_are_the_md5_of_each_file_but_not_of_pointers(tmp_path):
    (tmp_path / "b.csv").write_text("hello\n")
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "a.csv.dvc").write_text("outs: []")
    (tmp_path / ".gitignore").write_text("/a.csv")
    versions = FileVersionsDataset(str(tmp_path)).load()
    assert versions == {"a.csv": "d41d8cd98f00b204e9800998ecf8427e", "b.csv": "b1946ac92492d2347c6235b4d2611184"}
    assert list(versions) == ["a.csv", "b.csv"]


def test_file_versions_cannot_be_saved(tmp_path):
    with pytest.raises(DatasetError, match="read-only"):
        FileVersionsDataset(str(tmp_path)).save({"a.csv": "0"})


@pytest.fixture
def chunks(tmp_path):
    return ParquetChunksDataset(str(tmp_path / "out" / "table.parquet"), rows=10)


def frames(n_frames, rows=25):
    """In the first all values of one column are missing, and all reasons are empty."""
    for number in range(n_frames):
        filled = number > 0
        yield pd.DataFrame(
            {
                "size": range(number * rows, (number + 1) * rows),
                "town": ["here" if filled else None] * rows,
                "reasons": [("missing:town=None",) if filled else ()] * rows,
            }
        )


def test_chunks_are_written_and_read_as_one_table(chunks):
    chunks.save(frames(3))
    read = list(chunks.load())
    assert {len(frame) for frame in read} <= {10, 5}
    whole = pd.concat(read, ignore_index=True)
    assert whole["size"].tolist() == list(range(75))
    assert whole["town"].notna().sum() == 50
    assert whole["reasons"].map(len).sum() == 50


def test_a_save_that_fails_leaves_the_earlier_file_and_no_other(chunks, tmp_path):
    chunks.save(frames(1))

    def breaking():
        yield from frames(2)
        raise ValueError("no more")

    with pytest.raises(DatasetError, match="no more"):
        chunks.save(breaking())
    with pytest.raises(DatasetError, match="no rows"):
        chunks.save(iter([]))
    assert sum(len(frame) for frame in chunks.load()) == 25
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["table.parquet"]


def test_a_save_that_is_killed_leaves_the_earlier_file(chunks, tmp_path):
    chunks.save(frames(1))
    path = tmp_path / "out" / "table.parquet"
    before = path.read_bytes()
    dies = f"""
import os, signal
import pandas as pd
from kedro_tabular.datasets import ParquetChunksDataset

def chunks():
    yield pd.DataFrame({{"size": range(1000)}})
    yield pd.DataFrame({{"size": range(1000)}})
    os.kill(os.getpid(), signal.SIGKILL)

ParquetChunksDataset({str(path)!r}).save(chunks())
"""
    assert subprocess.run([sys.executable, "-c", dies], check=False).returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    chunks.save(frames(2))  # also with the partial file of the killed process
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["table.parquet"]


def test_file_sizes_are_bytes_by_path(tmp_path):
    (tmp_path / "model").write_bytes(b"12345")
    assert FileSizesDataset([str(tmp_path / "model")]).load() == {str(tmp_path / "model"): 5}
