"""Files of all formats become the same table; files without a table are refused."""

import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest
from kedro_tabular.adoption.source import open_source
from kedro_tabular.contract.contract import ContractError
from kedro_tabular.contract.table_file import read_table_file

PLAIN = pd.DataFrame({"size": [1.5, 2.0, None], "town": ["Köln", None, "Ulm"], "old": ["yes", "no", "no"]})


def write(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("name", "separator", "encoding"),
    [("a.csv", ",", "utf-8"), ("a.csv", ";", "cp1252"), ("a.txt", "|", "utf-8-sig"), ("a.tsv", "\t", "utf-16")],
)
def test_separator_and_encoding_are_inferred(tmp_path, name, separator, encoding):
    text = PLAIN.to_csv(sep=separator, index=False)
    source = open_source(write(tmp_path, name, text, encoding))
    assert source.raw.columns.tolist() == ["size", "town", "old"]
    assert source.raw["size"].tolist()[:2] == ["1.5", "2.0"]
    assert source.raw["town"].tolist()[::2] == ["Köln", "Ulm"]
    assert source.raw["town"].isna().tolist() == [False, True, False]


def test_compressed_text_is_read(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(PLAIN.to_csv(index=False, sep=";").encode()))
    assert open_source(path).raw["old"].tolist() == ["yes", "no", "no"]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "json"])
def test_typed_formats_keep_numbers_and_mark_what_is_missing(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        PLAIN.to_parquet(path)
    else:
        PLAIN.to_json(path, orient="records", lines=suffix == "jsonl")
    raw = open_source(path).raw
    assert raw["size"].tolist()[:2] == [1.5, 2.0]
    assert raw.isna().sum().to_dict() == {"size": 1, "town": 1, "old": 0}


def write_workbook(path, rows):
    """A workbook of two sheets with these rows in the first: numbers, texts, and days as (number,)."""

    def cell(value):
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return f'<c s="1"><v>{value[0]}</v></c>' if isinstance(value, tuple) else f"<c><v>{value}</v></c>"

    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    types = "http://schemas.openxmlformats.org/package/2006"
    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    sheets = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in ((1, "Data"), (2, "Notes")))
    targets = {"r1": ("worksheet", "s1.xml"), "r2": ("worksheet", "s2.xml"), "r3": ("styles", "styles.xml")}
    related = "".join(
        f'<Relationship Id="{i}" Type="{office}/{kind}" Target="{file}"/>' for i, (kind, file) in targets.items()
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{types}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{types}/relationships"><Relationship Id="r0" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}"><sheets>{sheets}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{types}/relationships">{related}</Relationships>',
        "xl/styles.xml": f'<styleSheet {main}><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
        "xl/s1.xml": f"<worksheet {main}><sheetData>{lines}</sheetData></worksheet>",
        "xl/s2.xml": f"<worksheet {main}><sheetData/></worksheet>",
    }
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)


def test_the_first_sheet_of_a_workbook_is_read_and_the_others_are_named(tmp_path):
    write_workbook(tmp_path / "a.xlsx", [["size", "when", "town"], [1.5, (45325,), "Ulm"], [2, (45326,), "n/a"]])
    source = open_source(tmp_path / "a.xlsx")
    assert source.raw["when"].tolist() == [pd.Timestamp("2024-02-03"), pd.Timestamp("2024-02-04")]
    assert source.raw["size"].tolist() == [1.5, 2]
    assert source.raw["town"].isna().tolist() == [False, True]
    assert "only the first of the sheets Data, Notes is read" in source.notes


def test_no_column_is_lost(tmp_path):
    """A named index, columns of one name or none, rows with one value more than the header."""
    PLAIN.set_index(pd.Index([7, 8, 9], name="nr")).to_parquet(tmp_path / "a.parquet")
    assert set(open_source(tmp_path / "a.parquet").raw) == {"nr", "size", "town", "old"}
    twice = open_source(write(tmp_path, "b.csv", "x,x,,y\n1,2,3,4\n"))
    assert twice.raw.iloc[0].to_dict() == {"x": "1", "x.1": "2", "column_3": "3", "y": "4"}
    named_rows = open_source(write(tmp_path, "c.csv", "x,y\nr1,1,2\nr2,3,4\n"))
    assert named_rows.raw.iloc[1].tolist() == ["r2", "3", "4"]


def test_column_names_of_predictions_are_renamed_and_the_file_is_read_so_again(tmp_path):
    source = open_source(write(tmp_path, "a.csv", "id,source,probability_x, padded ,source_\n1,2,3,4,5\n"))
    names = ["id_", "source__2", "probability_x_", "padded", "source_"]
    assert source.raw.columns.tolist() == names
    assert read_table_file(source.path, source.read_options).columns.tolist() == names
    assert any("'id' is renamed to 'id_'" in note for note in source.notes)


def test_missing_value_markers_are_counted(tmp_path):
    text = "a,b,c\n1,x,-\n-,NA,-\n?,-,y\n"
    source = open_source(write(tmp_path, "a.csv", text))
    assert source.read_options.missing == ["-", "?", "NA"]
    assert source.raw["a"].isna().tolist() == [False, True, True]
    assert any("'NA' (1 times)" in note for note in source.notes)
    assert read_table_file(source.path, source.read_options).isna().equals(source.raw.isna())


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "x,y\n", "has no rows"),
        ("a.csv", "x\n1\n2\n", "only one column"),
        ("a.csv", "x,y\n1,2\n1,2,3,4\n", "can't be read"),
        ("a.parquet", "no parquet", "can't be read as .parquet"),
        ("a.xlsx", "no workbook", "can't be read as a workbook"),
        ("a.jsonl", "{]", "can't be read as .jsonl"),
        ("a.feather", "x", "the file name must end in one of .csv"),
        ("missing.csv", None, "there is no file"),
    ],
)
def test_files_without_a_table_are_refused(tmp_path, name, content, expected):
    if content is not None:
        write(tmp_path, name, content)
    with pytest.raises(ContractError, match=expected):
        open_source(tmp_path / name)


def test_parquet_of_many_types_is_simplified(tmp_path):
    frame = pd.DataFrame(
        {
            "flag": [True, False, None],
            "kind": pd.Categorical(["a", "b", None]),
            "count": pd.array([1, None, 3], dtype="Int64"),
            "zoned": pd.to_datetime(["2024-01-01T02:00+02:00"] * 3),
            "took": pd.to_timedelta([1, 2, 3], unit="min"),
            "tags": [["x"], ["y"], None],
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    raw = open_source(tmp_path / "a.parquet").raw
    assert raw["flag"].dropna().tolist() == ["true", "false"]
    assert raw["kind"].dropna().tolist() == ["a", "b"]
    np.testing.assert_array_equal(raw["count"], [1, np.nan, 3])
    assert set(raw["zoned"]) == {pd.Timestamp("2024-01-01")}
    assert raw["took"].tolist() == [60, 120, 180]
    assert raw["tags"].dropna().tolist() == ['["x"]', '["y"]']
