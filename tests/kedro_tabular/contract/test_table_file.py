"""Files of tables, as they are read and as the catalog loads them."""

import io
import logging

import pandas as pd
import pytest
from kedro.io import DatasetError
from kedro_tabular.contract.contract import ContractError
from kedro_tabular.contract.table_file import ReadOptions, read_table, read_table_file
from kedro_tabular.datasets import TableFileDataset
from kedro_tabular.parameters import ParameterError

from ...conftest import make_contract, make_table

TEXT = """\
colour;town;size;weight;when;answer;note
red; Ulm;1.200,5;-;31.01.2024;True;x
blue;?;7;2,5;01.02.2024;False;
red;Ulm;3;1;02.02.2024;;y
"""
OPTIONS = {
    "separator": ";",
    "missing": ["?", "-"],
    "numbers": {"size": {"remove": ".", "decimal": ","}, "weight": {"decimal": ","}},
    "datetimes": {"when": "%d.%m.%Y"},
}


def load(folder, text=TEXT, name="a.csv", task="classification", **options):
    path = folder / name
    path.write_text(text)
    return TableFileDataset(str(path), make_contract(task), **(OPTIONS | options)).load()


def test_values_are_converted_to_the_types_of_the_contract(tmp_path, caplog):
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
    assert "1 of 3 rows have no answer: dropped" in caplog.text


def test_integers_become_the_float64_that_is_served(tmp_path):
    table = make_table(50).assign(size=range(50))
    table.to_parquet(tmp_path / "a.parquet")
    loaded = TableFileDataset(str(tmp_path / "a.parquet"), make_contract()).load()
    assert loaded["size"].dtype == "float64"
    pd.testing.assert_frame_equal(loaded, table.astype({"size": "float64"}), check_dtype=False)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("3;1;", "three;1;", r"size: 1 of 2 values are not a number, for example \['three'\]"),
        ("01.02.2024", "2024-02-01", "when: 1 of 2 values are not a date-time"),
    ],
)
def test_values_that_cannot_be_converted_are_named(tmp_path, old, new, expected):
    text = TEXT.replace(old, new).replace("02.02.2024;;", "02.02.2024;True;").replace("red; Ulm", "#", 1)
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    with pytest.raises(DatasetError, match=expected):
        load(tmp_path, kept)


def test_an_unknown_option_is_refused_by_its_name(tmp_path):
    with pytest.raises(ParameterError, match="separation"):
        load(tmp_path, separation=";")


def test_the_users_file_is_never_written(tmp_path):
    with pytest.raises(DatasetError, match="user's own file"):
        TableFileDataset(str(tmp_path / "a.csv"), make_contract()).save(make_table(3))
    assert not (tmp_path / "a.csv").exists()


TABLE = pd.DataFrame({"key": ["01067", "2"], "category": ["NA", None], "amount": ["1", "x"]}, dtype="str")


@pytest.mark.parametrize(
    ("suffix", "write"),
    [
        (".csv", lambda table, file: table.to_csv(file, index=False)),
        (".parquet", lambda table, file: table.to_parquet(file)),
        (".json", lambda table, file: table.to_json(file, orient="records")),
        (".jsonl", lambda table, file: table.to_json(file, orient="records", lines=True)),
    ],
)
def test_text_stays_text_from_a_path_and_from_bytes(tmp_path, suffix, write):
    content = io.BytesIO()
    write(TABLE, content)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content.getvalue())
    content.seek(0)
    for table in (read_table_file(path, ReadOptions()), read_table(content, suffix, ReadOptions())):
        pd.testing.assert_frame_equal(table, TABLE)


def test_missing_value_markers_are_missing_and_columns_are_renamed():
    options = ReadOptions(missing=["NA"], rename={"key": "number"})
    table = read_table(io.BytesIO(b"key,category\n01067, NA \n"), ".csv", options)
    assert table.columns.tolist() == ["number", "category"]
    assert table.isna().to_numpy().tolist() == [[False, True]]


def test_names_of_columns_stay_text_in_json():
    assert read_table(io.BytesIO(b'[{"01": 1, "2024-01-01": 2}]'), ".json", ReadOptions()).columns.tolist() == [
        "01",
        "2024-01-01",
    ]


def test_content_of_another_format_is_an_error():
    with pytest.raises(ContractError, match=r"the input can't be read as \.parquet"):
        read_table(io.BytesIO(b"a,b"), ".parquet", ReadOptions())
