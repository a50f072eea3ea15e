"""Outcomes from files and requests find their predictions, whatever the type of the key in either."""

import pandas as pd
import pytest
from kedro_tabular.contract.contract import Contract, ContractError
from kedro_tabular.serving.invocations import parse_invocation
from kedro_tabular.serving.log.outcomes import parse_outcome_request, read_outcome_table
from kedro_tabular.serving.log.prediction_log import PredictionLog
from kedro_tabular.serving.log.records import LogContext, equivalent_references, make_keys, make_log_rows
from kedro_tabular.serving.parsing import rows_from_records, to_number

from ...conftest import copy_code, fail, fit_packaged, make_contract
from .conftest import settings_of

CONTRACT = Contract.from_parameters(make_contract())
MODEL = fit_packaged("binary")


@pytest.fixture
def log(tmp_path):
    opened = PredictionLog(f"sqlite:///{tmp_path}/log.db")
    yield opened
    opened.close()


def predict(log, rows, keys):
    """Store predictions of rows, with their positions as ids."""
    context = LogContext([str(i) for i in range(rows.n_rows)], make_keys(rows, keys, CONTRACT), 1.0)
    predictions = MODEL.predict_columns(rows.columns, rows.n_rows, False)
    log.append(make_log_rows(rows, predictions, context, CONTRACT, "small", "1"))


def predict_json(log, values):
    predict(
        log,
        rows_from_records(
            [{"order": value, "when": "2020-01-01T00:00:00"} for value in values], "records", CONTRACT, ["order"]
        ),
        ["order"],
    )


def outcomes_of(log):
    return [None if pd.isna(outcome) else outcome for outcome in log.read().sort_values("id")["outcome"]]


def write(folder, suffix, table):
    path = folder / f"outcomes{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False)
    elif suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_json(path, orient="records", lines=True)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_keys_of_a_file_keep_leading_zeros_and_words_such_as_na(log, tmp_path, suffix):
    predict_json(log, ["01067", "NA", "None", "11067", "1067"])
    table = pd.DataFrame({"order": ["01067", "NA", "None", "11067"], "answer": [1, 0, 1, 0]})
    outcomes = read_outcome_table(write(tmp_path, suffix, table), ["order"], CONTRACT)
    assert outcomes[0]["reference"] == 'key:["01067"]'
    assert log.add_outcomes("small", outcomes) == 0
    assert outcomes_of(log) == [1, 0, 1, 0, None]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
@pytest.mark.parametrize(
    ("logged", "in_file"),
    [(1067, 1067), (1067, 1067.0), (1067, "1067"), (1067.0, "1067"), ("1067", 1067), ("1067", "1067"), (1.5, "1.5")],
)
def test_a_key_is_the_same_as_a_number_and_as_its_text(log, tmp_path, logged, in_file, suffix):
    predict_json(log, [logged, "01067", 1068])
    table = pd.DataFrame({"order": [in_file], "answer": [1]})
    assert log.add_outcomes("small", read_outcome_table(write(tmp_path, suffix, table), ["order"], CONTRACT)) == 0
    assert outcomes_of(log) == [1, None, None]
    other = {"outcomes": [{"key": {"order": logged}, "outcome": 0}]}
    assert log.add_outcomes("small", parse_outcome_request(other, ["order"], CONTRACT)) == 0
    assert outcomes_of(log) == [0, None, None]


def test_keys_of_several_columns_are_joined_whatever_the_types(log, tmp_path):
    keys = ["colour", "order", "size", "when"]
    rows = [
        {"colour": "7", "order": 3, "size": 5, "when": "2020-01-01T06:00"},
        {"colour": "07", "order": "3", "size": 5.5, "when": "2020-01-01"},
    ]
    predict(log, rows_from_records(rows, "records", CONTRACT, keys), keys)
    path = tmp_path / "outcomes.csv"
    text = "colour,order,size,when,outcome\n7,3,5.0,2020-01-01 06:00:00,1\n07,3,5.5,2020-01-01T00:00:00,0\n"
    path.write_text(text, encoding="utf-8")
    assert log.add_outcomes("small", read_outcome_table(path, keys, CONTRACT)) == 0
    assert outcomes_of(log) == [1, 0]


def test_an_outcome_that_comes_first_finds_a_prediction_of_either_type(log, tmp_path):
    path = write(tmp_path, ".csv", pd.DataFrame({"order": ["1067", "1068", "01069"], "answer": [1, 0, 1]}))
    assert log.add_outcomes("small", read_outcome_table(path, ["order"], CONTRACT)) == 3
    predict_json(log, [1067, "1068", "01069", 1069])
    assert outcomes_of(log) == [1, 0, 1, None]


def test_rows_of_a_csv_request_have_the_keys_of_json(log, tmp_path):
    body = b"colour,town,size,weight,when,order\n" + b"".join(
        b"red,NA,5,,2020-01-01T06:00:00,%s\n" % key for key in (b"17", b"18.0", b"019", b"", b"1.50")
    )
    settings = settings_of(tmp_path, log={"url": "sqlite://", "keys": ["order", "size"]})
    rows = parse_invocation(body, "text/csv", CONTRACT, settings).rows
    assert make_keys(rows, ["order", "size"], CONTRACT) == ["[17,5]", "[18,5]", '["019",5]', None, '["1.50",5]']
    predict(log, rows, ["order", "size"])
    outcomes = {"outcomes": [{"key": {"order": order, "size": 5}, "outcome": 1} for order in (17, "18", "019")]}
    assert log.add_outcomes("small", parse_outcome_request(outcomes, ["order", "size"], CONTRACT)) == 0
    assert outcomes_of(log) == [1, 1, 1, None, None]


def test_only_texts_that_numbers_are_written_as_stand_for_numbers():
    numbers = {"7": 7, "7.0": 7, "-1.5": -1.5, "0": 0, "12345678901234567890": 12345678901234567890, "1e-07": 1e-07}
    assert {text: to_number(text) for text in numbers} == numbers
    for text in ("07", "1.50", "+7", " 7", "1_000", "nan", "inf", "-inf", "", "٣", "7e", "1e999", "9" * 5000):
        assert to_number(text) == text
    assert equivalent_references('key:["7",1.5,true,"red"]') == [
        'key:["7",1.5,true,"red"]',
        'key:["7","1.5",true,"red"]',
        'key:[7,1.5,true,"red"]',
        'key:[7,"1.5",true,"red"]',
    ]
    assert equivalent_references("id:7") == ["id:7"]


@pytest.mark.parametrize(
    ("task", "texts", "expected"),
    [
        ("classification", ["1", "0"], ["1", "0"]),
        ("classification", ["1.0", "0.0"], ["1", "0"]),
        ("classification", ["true", "False"], ["1", "0"]),
        ("classification", ["NA", "None"], ['"NA"', '"None"']),
        ("classification", ["01", "yes"], ['"01"', '"yes"']),
        ("regression", ["2.50", "7"], ["2.5", "7.0"]),
        ("regression", ["2.5", "much"], ["2.5", '"much"']),
    ],
)
def test_outcomes_of_a_text_file_have_the_types_of_the_target(tmp_path, task, texts, expected):
    contract = Contract.from_parameters(make_contract(task))
    path = write(tmp_path, ".csv", pd.DataFrame({"id": ["a", "b"], "answer": texts}))
    assert [outcome["outcome"] for outcome in read_outcome_table(path, [], contract)] == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("o.csv", "order,answer\n1,1\n,0\n3,\n", "2 of 3 rows have no outcome or no key, the first is row 2; nothing"),
        ("o.csv", "id,answer\na,1\nb,\n", "1 of 2 rows have no outcome or no id, the first is row 2"),
        ("o.csv", "number,answer\n1,1\n", "needs the column id, or all of serving.log.keys: it lacks order"),
        ("o.csv", "order,reply\n1,1\n", "o.csv has no column outcome or answer: it has"),
        ("o.dat", "order,answer\n1,1\n", "o.dat: "),
        ("o.parquet", "nothing", "o.parquet can't be read"),
    ],
)
def test_a_file_that_is_not_usable_is_reported(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match=message):
        read_outcome_table(path, ["order"], CONTRACT)


def test_the_missing_value_markers_of_the_table_are_those_of_csv_requests_and_not_of_json(tmp_path):
    settings = settings_of(tmp_path, missing=["NA"])
    rows = parse_invocation(b"colour,town\nNA,None\n", "text/csv", CONTRACT, settings).rows
    assert pd.isna(rows.columns["colour"][0])
    assert rows.columns["town"][0] == "None"
    body = b'{"dataframe_records": [{"colour": "NA"}]}'
    assert parse_invocation(body, "application/json", CONTRACT, settings).rows.columns["colour"][0] == "NA"


def test_outcomes_are_read_with_the_missing_value_markers_of_the_table(tmp_path, parameters):
    folder = copy_code(tmp_path / "project")
    (folder / "conf" / "local" / "catalog.yml").write_text("table: {type: MemoryDataset, missing: [NA]}\n")
    (folder / "outcomes.csv").write_text("id,outcome\na,1\nb,NA\n")
    assert "1 of 2 rows have no outcome" in fail(folder, "outcomes", str(folder / "outcomes.csv"))


def test_an_outcome_time_without_a_time_zone_is_in_that_of_the_table(tmp_path):
    contract = Contract.from_parameters(make_contract() | {"timezone": "Europe/Berlin"})
    times = ["2024-07-01T12:00:00", "2024-07-01T12:00:00Z"]
    sent = [{"id": "a", "outcome": 1, "outcome_time": time} for time in times]
    path = tmp_path / "outcomes.csv"
    pd.DataFrame(sent).to_csv(path, index=False)
    for rows in (parse_outcome_request({"outcomes": sent}, [], contract), read_outcome_table(path, [], contract)):
        assert [f"{row['time']:%H:%M}" for row in rows] == ["10:00", "12:00"]
