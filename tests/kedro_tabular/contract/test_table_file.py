"""A file of the user's as the catalog loads it."""

import logging

import pandas as pd
import pytest
from kedro.io import DatasetError

from kedro_tabular.datasets import TableFileDataset
from kedro_tabular.parameters import ParameterError

from ...conftest import make_contract, make_table

TEXT = """\
colour;town;size;weight;when;answer;note
red; Ulm;1.200,5;-;31.01.2024;True;x
blue;?;7;2,5;01.02.2024;False;
red;Ulm;3;1;02.02.2024;;y
"""
READING = {
    "separator": ";",
    "missing": ["?", "-"],
    "numbers": {"size": {"remove": ".", "decimal": ","}, "weight": {"decimal": ","}},
    "datetimes": {"when": "%d.%m.%Y"},
}


def load(folder, text=TEXT, name="a.csv", task="classification", **reading):
    path = folder / name
    path.write_text(text)
    return TableFileDataset(str(path), make_contract(task), **(READING | reading)).load()


def test_values_come_in_the_types_of_the_contract(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        table = load(tmp_path)
    assert table["colour"].tolist() == ["red", "blue"]
    assert table["town"].isna().tolist() == [False, True]
    assert table["town"].iloc[0] == "Ulm"
    assert table["size"].tolist() == [1200.5, 7]
    assert table["weight"].isna().tolist() == [True, False]
    assert table["when"].tolist() == [pd.Timestamp("2024-01-31"), pd.Timestamp("2024-02-01")]
    assert table["answer"].tolist() == [1, 0]
    assert table["note"].iloc[0] == "x"  # no column of the contract, and kept
    assert "1 of 3 rows have no answer and are left out" in caplog.text


def test_numbers_of_every_kind_are_what_is_served(tmp_path):
    table = make_table(50).assign(size=range(50))
    table.to_parquet(tmp_path / "a.parquet")
    loaded = TableFileDataset(str(tmp_path / "a.parquet"), make_contract()).load()
    assert loaded["size"].dtype == "float64"
    pd.testing.assert_frame_equal(loaded, table.astype({"size": "float64"}), check_dtype=False)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("3;1;", "three;1;", r"size: 1 of 2 rows hold no number, for example \['three'\]"),
        ("01.02.2024", "2024-02-01", "when: 1 of 2 rows hold no point in time"),
    ],
)
def test_what_can_not_be_read_is_named(tmp_path, old, new, expected):
    text = TEXT.replace(old, new).replace("02.02.2024;;", "02.02.2024;True;").replace("red; Ulm", "#", 1)
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    with pytest.raises(DatasetError, match=expected):
        load(tmp_path, kept)


def test_a_wrong_entry_is_refused_by_the_name_of_its_key(tmp_path):
    with pytest.raises(ParameterError, match="separation"):
        load(tmp_path, separation=";")


def test_the_users_file_is_never_written(tmp_path):
    with pytest.raises(DatasetError, match="only read"):
        TableFileDataset(str(tmp_path / "a.csv"), make_contract()).save(make_table(3))
    assert not (tmp_path / "a.csv").exists()
