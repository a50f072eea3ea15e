import numpy as np
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


def test_a_random_split_keeps_shares_and_loses_no_row():
    table = make_table(4000)
    parts = split_table(table, make_contract(time=None), BY_SHARE, seed=0)
    assert [len(part) for part in parts] == pytest.approx([2000, 800, 800, 400], abs=120)  # 4 standard deviations
    together = pd.concat(parts).sort_values("when", ignore_index=True)
    pd.testing.assert_frame_equal(together, table)


def test_a_random_split_follows_its_seed():
    contract = make_contract("regression", time=None)
    first, again, other = (split_table(make_table(100, "number"), contract, BY_SHARE, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.train, again.train)
    assert not first.train.equals(other.train)


def part_of_each(parts, column="size"):
    return {value: name for name, part in parts._asdict().items() for value in part[column]}


@pytest.mark.parametrize("answer", ["binary", "text", "number"])
def test_a_row_keeps_its_part_whatever_rows_come_and_go(answer):
    """One row is removed, many are appended, the order changes, a column becomes whole numbers with a gap."""
    contract = make_contract("regression" if answer == "number" else "classification", time=None)
    table = make_table(600, answer)
    table["size"] = np.arange(600) / 8
    later = make_table(600, answer, seed=9).assign(size=lambda rows: 75 + rows["size"] / 5)
    changed = pd.concat([table.drop(index=3), later]).sample(frac=1, random_state=0)
    before = part_of_each(split_table(table, contract, BY_SHARE, seed=0))
    after = part_of_each(split_table(changed, contract, BY_SHARE, seed=0))
    assert {size: part for size, part in after.items() if size in before} == {
        size: part for size, part in before.items() if size != 3 / 8
    }


def test_equal_rows_are_in_one_part():
    table = pd.concat([make_table(200)] * 3, ignore_index=True)
    parts = split_table(table, make_contract(time=None), BY_SHARE, seed=0)
    for part in parts:
        assert (part.groupby(list(part.columns), dropna=False).size() == 3).all()


def test_rows_that_differ_only_in_the_target_are_in_one_part():
    """Else a model of few categories learns from rows of one outcome, and is tested on those of the other."""
    rows = {"colour": np.repeat(list("abcdefgh"), 100), "answer": np.tile([0, 1], 400)}
    table = make_table(1).drop(columns=list(rows)).merge(pd.DataFrame(rows), how="cross")
    parts = split_table(table, make_contract(time=None), BY_SHARE, seed=0)
    for part in parts:
        assert (part.groupby("colour")["answer"].mean() == 0.5).all()


@pytest.mark.parametrize(("time", "split"), [(None, BY_SHARE), ("when", BY_TIME)])
def test_rows_of_a_group_are_in_one_part(time, split):
    table = make_table(400).assign(customer=lambda rows: np.arange(len(rows)) % 3 + np.arange(len(rows)) // 12 * 3)
    parts = split_table(table, make_contract(time=time), split | {"group": "customer"}, seed=0)
    together = pd.concat([part.assign(part=name) for name, part in parts._asdict().items()])
    assert len(together) == 400
    assert (together.groupby("customer")["part"].nunique() == 1).all()
    assert together["part"].nunique() == 4
    pairs = split_table(table, make_contract(time=time), split | {"group": ["customer", "colour"]}, seed=0)
    together = pd.concat([part.assign(part=name) for name, part in pairs._asdict().items()])
    assert (together.groupby(["customer", "colour"])["part"].nunique() == 1).all()


def test_an_identifier_is_the_same_as_number_and_as_text():
    """A file in which one identifier has a letter gives all of them as text; a gap makes them floats."""
    table = make_table(300).assign(case=np.arange(300))
    split = BY_SHARE | {"group": "case"}
    parts = [
        part_of_each(split_table(table.assign(case=cases), make_contract(time=None), split, seed=0))
        for cases in (table["case"], table["case"].astype(str), table["case"].astype(float))
    ]
    assert parts[0] == parts[1] == parts[2]


def test_rows_without_a_group_are_not_one_group():
    table = make_table(400).assign(customer=None)
    parts = split_table(table, make_contract(time=None), BY_SHARE | {"group": "customer"}, seed=0)
    assert min(map(len, parts)) > 10


def test_a_group_that_the_table_lacks_is_named():
    with pytest.raises(ParameterError, match=r"split\.group in conf/: the table has no column nope"):
        split_table(make_table(100), make_contract(time=None), BY_SHARE | {"group": "nope"}, seed=0)


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
