"""Date-times with a time zone are converted to that of the contract, by the same rule in files and in rows."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.contract.conversion import to_datetimes
from kedro_tabular.contract.reasons import RowReasons
from kedro_tabular.contract.rows import check_rows, to_columns
from kedro_tabular.contract.table_file import ReadOptions, apply_contract, read_table_file
from kedro_tabular.parameters import ParameterError

from ...conftest import make_contract, make_table

BERLIN = ZoneInfo("Europe/Berlin")
# text, and the date-time that it is in UTC and in Berlin, whose daylight saving begins on 31 March 2024
TIMES = [
    ("2024-05-02T18:30:00Z", "2024-05-02T18:30", "2024-05-02T20:30"),
    ("2024-05-02 18:30:00+05:30", "2024-05-02T13:00", "2024-05-02T15:00"),
    ("2024-01-02T18:30:00-05", "2024-01-02T23:30", "2024-01-03T00:30"),
    ("2024-03-31T00:59:59.5Z", "2024-03-31T00:59:59.5", "2024-03-31T01:59:59.5"),
    ("2024-03-31T01:00:00Z", "2024-03-31T01:00", "2024-03-31T03:00"),
    ("2024-05-02T18:30:00", "2024-05-02T18:30", "2024-05-02T18:30"),
    ("2024-05-02", "2024-05-02", "2024-05-02"),
    ("2024-05-02T18", "2024-05-02T18", "2024-05-02T18"),
]


def contract_in(timezone):
    return Contract.from_parameters(make_contract() | {"timezone": timezone})


def rows_of(contract, times):
    """The column `when` of rows with these date-times, as the model gets it."""
    frame = make_table(len(times)).assign(when=times)
    reasons = RowReasons(len(frame), {})
    values = check_rows(contract, to_columns(frame), reasons)["when"]
    assert set(reasons.to_array().tolist()) == {()}
    return values.astype("datetime64[us]").tolist()


def trained_on(contract, path):
    """The column `when` of a file, as training gets it."""
    raw = read_table_file(path, ReadOptions(), contract.zone)
    return apply_contract(raw, contract, ReadOptions())[0]["when"].to_numpy().astype("datetime64[us]").tolist()


@pytest.mark.parametrize(("timezone", "column"), [("UTC", 1), ("Europe/Berlin", 2)])
def test_texts_are_the_same_date_times_in_a_file_and_in_rows(tmp_path, timezone, column):
    contract, texts = contract_in(timezone), [row[0] for row in TIMES]
    expected = [np.datetime64(row[column], "us").item() for row in TIMES]
    make_table(len(TIMES)).assign(when=texts).to_csv(tmp_path / "t.csv", index=False)
    assert trained_on(contract, tmp_path / "t.csv") == expected
    assert rows_of(contract, texts) == expected


@pytest.mark.parametrize("dtype", ["datetime64[ns, UTC]", "datetime64[us, America/New_York]", object])
def test_columns_with_a_time_zone_are_the_same_date_times_in_a_file_and_in_rows(tmp_path, dtype):
    contract = contract_in("Europe/Berlin")
    times = pd.Series(pd.date_range("2024-03-30 12:00", periods=8, freq="5h", tz="UTC")).astype(dtype)
    expected = [time.to_pydatetime().astimezone(BERLIN).replace(tzinfo=None) for time in times]
    make_table(8).assign(when=times).to_parquet(tmp_path / "t.parquet")
    assert trained_on(contract, tmp_path / "t.parquet") == expected
    assert rows_of(contract, times) == expected


def test_objects_with_and_without_a_time_zone_may_be_mixed():
    aware, naive = dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC), dt.datetime(2024, 7, 1, 12)
    assert rows_of(contract_in("Europe/Berlin"), pd.Series([aware, naive], dtype=object)) == [
        dt.datetime(2024, 7, 1, 14),
        naive,
    ]


@pytest.mark.parametrize(
    ("values", "datetime_format", "expected"),
    [
        ([1_700_000_000.0], "unix_s", "2023-11-14 23:13:20"),
        (["14.11.2023 22:13 +0000"], "%d.%m.%Y %H:%M %z", "2023-11-14 23:13"),
        (["14.11.2023 22:13"], "%d.%m.%Y %H:%M", "2023-11-14 22:13"),
    ],
)
def test_other_formats_follow_the_same_rule(values, datetime_format, expected):
    assert to_datetimes(pd.Series(values), datetime_format, BERLIN).tolist() == [pd.Timestamp(expected)]


def test_an_unknown_time_zone_is_an_error_and_none_is_utc():
    assert Contract.from_parameters(make_contract()).zone is dt.UTC
    for name in ("Mars", "Europe", "../etc/passwd", ""):
        with pytest.raises(ParameterError, match=r"timezone .* is unknown: write a name of the IANA database"):
            contract_in(name)
