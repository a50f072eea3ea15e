import datetime as dt
import os
import signal
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
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


def test_integers_of_which_some_are_missing_stay_exact_and_have_one_type_in_all_chunks(chunks, tmp_path):
    large = 2**53 + 1
    values = [*[None] * 10, large, *[None] * 9, *range(10)]
    unsigned = pa.array([None, 2**64 - 1, *[1] * 28], pa.uint64())
    source = pa.table({"id": pa.array(values, pa.int64()), "unsigned": unsigned, "order": range(30)})
    path = tmp_path / "source.parquet"
    pq.write_table(source, path)
    read = list(ParquetChunksDataset(str(path), rows=10).load())
    assert {str(frame["id"].dtype) for frame in read} == {"Int64"}
    assert {str(frame["order"].dtype) for frame in read} == {"int64"}
    assert read[1]["id"].iloc[0] == large
    chunks.save(ParquetChunksDataset(str(path), rows=10).load())
    assert pq.read_table(tmp_path / "out" / "table.parquet").cast(source.schema).equals(source)


def test_the_types_of_a_file_are_kept_whatever_its_first_chunk_has(chunks, tmp_path):
    """Of each type a column of which the first chunk has no value."""
    values = {
        "number": pa.array([1.5], pa.float32()),
        "integer": pa.array([7], pa.int16()),
        "flag": pa.array([True]),
        "text": pa.array(["a"]),
        "category": pa.array(["a"]).dictionary_encode(),
        "day": pa.array([dt.date(2020, 1, 1)]),
        "time": pa.array([dt.datetime(2020, 1, 1)], pa.timestamp("us", "UTC")),
        "price": pa.array([Decimal("1.50")], pa.decimal128(9, 2)),
        "several": pa.array([[1, 2]]),
        "nested": pa.array([{"a": 1}]),
    }
    source = pa.table({name: pa.concat_arrays([pa.nulls(10, v.type), v]) for name, v in values.items()})
    path = tmp_path / "source.parquet"
    pq.write_table(source, path)
    chunks.save(ParquetChunksDataset(str(path), rows=10).load())
    written = pq.read_table(tmp_path / "out" / "table.parquet")
    assert written.to_pylist() == source.to_pylist()
    plain = [pa.string() if pa.types.is_dictionary(kind) else kind for kind in source.schema.types]
    assert written.schema.types == plain


def test_an_index_of_pandas_does_not_mix_rows_up(tmp_path):
    frame = pd.DataFrame({"id": pd.array([None, 2**53 + 1, 3], "Int64")}, index=[30, 20, 10])
    frame.to_parquet(tmp_path / "indexed.parquet")
    [read] = ParquetChunksDataset(str(tmp_path / "indexed.parquet")).load()
    assert read["id"].to_list()[1:] == [2**53 + 1, 3]


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
