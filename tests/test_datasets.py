import os

import numpy as np
import pytest
from kedro.io import DatasetError
from sklearn.linear_model import Ridge

from project.datasets import FileVersionsDataset, SkopsDataset


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
    assert versions == {
        "a.csv": "d41d8cd98f00b204e9800998ecf8427e",
        "b.csv": "b1946ac92492d2347c6235b4d2611184",
    }
    assert list(versions) == ["a.csv", "b.csv"]


def test_file_versions_cannot_be_saved(tmp_path):
    with pytest.raises(DatasetError, match="can only be read"):
        FileVersionsDataset(str(tmp_path)).save({"a.csv": "0"})
