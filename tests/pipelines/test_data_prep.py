import pandas as pd
import pytest
from kedro_tabular.parameters import ParameterError

from project.pipelines.data_prep.nodes import split_table

from ..conftest import make_contract, make_table

BY_TIME = {"train": "2020-02-29", "calibration": "2020-03-15", "test": "2020-03-31"}
BY_SHARE = {"train": 0.5, "calibration": 0.2, "test": 0.2}


def test_a_split_by_time_ends_each_part_with_its_last_day():
    parts = split_table(make_table(400), make_contract(), BY_TIME, seed=0)
    ends = ["2020-02-29 18:00", "2020-03-15 18:00", "2020-03-31 18:00"]
    assert [part["when"].max() for part in parts[:3]] == [pd.Timestamp(end) for end in ends]
    assert parts.live["when"].min() == pd.Timestamp("2020-04-01")
    assert sum(map(len, parts)) == 400


def test_a_random_split_keeps_shares_and_classes_and_loses_no_row():
    table = make_table(1000)
    parts = split_table(table, make_contract(time=None), BY_SHARE, seed=0)
    assert [len(part) for part in parts] == pytest.approx([500, 200, 200, 100], abs=2)
    for part in parts:
        assert part["answer"].mean() == pytest.approx(table["answer"].mean(), abs=0.01)
    together = pd.concat(parts).sort_values("when", ignore_index=True)
    pd.testing.assert_frame_equal(together, table)


def test_a_random_split_follows_its_seed():
    contract = make_contract("regression", time=None)
    first, again, other = (split_table(make_table(100, "number"), contract, BY_SHARE, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.train, again.train)
    assert not first.train.equals(other.train)


@pytest.mark.parametrize(
    ("time", "split", "message"),
    [
        ("when", BY_TIME | {"train": "2020-04-01"}, "must end in this order"),
        ("when", BY_TIME | {"test": "soon"}, r"split\.test"),
        ("when", BY_SHARE, r"split\.train"),
        ("when", {"train": "2010-01-01", "calibration": "2010-01-02", "test": "2010-01-03"}, "leaves no rows"),
        (None, BY_SHARE | {"train": 0.7}, "more than 1"),
        (None, {"train": 0.5, "test": 0.5}, r"split\.calibration: Field required"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused_by_its_key(time, split, message):
    with pytest.raises(ParameterError, match=message):
        split_table(make_table(100), make_contract(time=time), split, seed=0)


@pytest.mark.parametrize("dtype", ["int64", "Int64", "uint8", "float32"])
def test_numbers_come_out_as_the_signature_has_them(dtype):
    table = make_table(200)
    table["size"] = table["size"].round().astype(dtype)
    parts = split_table(table, make_contract(time=None), {"train": 0.5, "calibration": 0.2, "test": 0.2}, 0)
    for part in parts:
        assert part["size"].dtype == "float64"
    assert sorted(pd.concat(parts)["size"]) == sorted(table["size"])
