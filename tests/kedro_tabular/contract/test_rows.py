import datetime as dt

import numpy as np
import pandas as pd
import pytest
from kedro_tabular.contract.contract import ContractError
from kedro_tabular.contract.reasons import RowReasons
from kedro_tabular.contract.rows import check_rows

from ...conftest import make_table

VALID = {"colour": "red", "town": None, "size": 3.0, "weight": None, "when": pd.Timestamp("2020-01-01 12:00")}


def check(contract, frame):
    """The converted rows as a table, and the reasons of each row."""
    reasons = RowReasons(len(frame), {})
    return pd.DataFrame(check_rows(contract, frame, reasons)), reasons.to_array().tolist()


def reasons_of(contract, **values):
    return list(check(contract, pd.DataFrame([VALID | values], dtype=object))[1][0])


def test_valid_rows_come_back_in_the_contracts_order_and_types(contract):
    table = make_table(50)
    rows, reasons = check(contract, table[table.columns[::-1]])
    assert set(reasons) == {()}
    pd.testing.assert_frame_equal(rows, table[contract.features], check_dtype=False)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"size": 3}, []),
        ({"size": np.int32(3)}, []),
        ({"when": "2020-01-01T12:00:00"}, []),
        ({"when": dt.datetime(2020, 1, 1)}, []),
        ({"town": "never seen"}, []),
        ({"town": True}, []),
        ({"colour": None}, ["missing:colour"]),
        ({"size": float("nan")}, ["missing:size"]),
        ({"size": "3"}, ["wrong_type:size=3"]),
        ({"size": True}, ["wrong_type:size=True"]),
        ({"size": [1]}, ["wrong_type:size=[1]"]),
        ({"colour": 7}, ["wrong_type:colour=7"]),
        ({"size": 10**400}, [f"wrong_type:size=1{'0' * 59}"]),
        ({"when": "tomorrow"}, ["wrong_type:when=tomorrow"]),
        ({"when": "now"}, ["wrong_type:when=now"]),
        ({"when": 20200101}, ["wrong_type:when=20200101"]),
        ({"when": "2020-01-01T12:00:00+02:00"}, []),
        ({"when": "0001-01-01T00:00:00+02:00"}, ["wrong_type:when=0001-01-01T00:00:00+02:00"]),
        ({"size": -1}, ["out_of_range:size=-1"]),
        ({"size": -1.0}, ["out_of_range:size=-1"]),
        ({"size": 100.5}, ["out_of_range:size=100.5"]),
        ({"weight": float("inf")}, ["out_of_range:weight=inf"]),
        ({"size": -1, "colour": None}, ["missing:colour", "out_of_range:size=-1"]),
    ],
)
def test_each_violation_is_a_reason_with_its_value(contract, values, expected):
    assert reasons_of(contract, **values) == expected


def test_booleans_are_the_categories_that_json_writes(contract):
    frame = pd.DataFrame([VALID | {"town": value} for value in (True, np.bool_(False))], dtype=object)
    assert check(contract, frame)[0]["town"].tolist() == ["true", "false"]
    typed = pd.concat([make_table(2).drop(columns="town"), pd.DataFrame({"town": [True, False]})], axis=1)
    assert check(contract, typed)[0]["town"].tolist() == ["true", "false"]


def test_a_reason_shortens_a_long_value(contract):
    assert len(reasons_of(contract, size="x" * 10_000)[0]) < 100


def test_missing_columns_are_named(contract):
    with pytest.raises(ContractError, match="missing columns: colour, when; expected: colour, town"):
        check(contract, make_table(3).drop(columns=["colour", "when"]))
