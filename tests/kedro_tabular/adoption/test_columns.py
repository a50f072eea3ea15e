"""What is found out about single columns and the target."""

import numpy as np
import pandas as pd
import pytest

from kedro_tabular.adoption.columns import look_at
from kedro_tabular.adoption.leaks import measure_alone
from kedro_tabular.adoption.target import look_at_target
from kedro_tabular.contract.contract import Column, ContractError
from kedro_tabular.contract.raw_values import to_datetimes, to_numbers

RNG = np.random.default_rng(0)


def column(values, name="size"):
    return pd.Series(values, name=name, dtype="str" if isinstance(values[0], str) else None)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2.5", "-3e2"], [1, 2.5, -300]),
        (["1,234.5", "12", "1,000,000"], [1234.5, 12, 1e6]),
        (["1.234,5", "12", "7,25"], [1234.5, 12, 7.25]),
        (["3,5", "12,25", "0,1"], [3.5, 12.25, 0.1]),
        (["$1,200.00", "$3", "$ 7.5"], [1200, 3, 7.5]),
        (["12 %", "3.5 %", "0 %"], [12, 3.5, 0]),
        (["1\u202f200 €", "3 €", "7 €"], [1200, 3, 7]),
    ],
)
def test_numbers_in_text_are_read_in_their_form(values, expected):
    text = column(values * 10)
    found = look_at(text)
    assert found.column.type == "number"
    assert found.values.tolist() == expected * 10
    assert to_numbers(text, found.number).tolist() == expected * 10  # as the catalog's entry will


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2024-03-01", "2024-12-31"], ["2024-03-01", "2024-12-31"]),
        (["2024-03-01T10:30:00Z", "2024-03-01T10:30:00+02:00"], ["2024-03-01 10:30", "2024-03-01 08:30"]),
        (["2024-03-01 10:30", "2024-12-31 00:15"], ["2024-03-01 10:30", "2024-12-31 00:15"]),
        (["31.12.2024", "01.02.2024"], ["2024-12-31", "2024-02-01"]),
        (["12/31/2024", "02/01/2024"], ["2024-12-31", "2024-02-01"]),
        (["31/12/2024 23:59", "01/02/2024 00:00"], ["2024-12-31 23:59", "2024-02-01"]),
        (["12/31/2024 11:59 PM", "2/1/2024 1:05 AM"], ["2024-12-31 23:59", "2024-02-01 01:05"]),
        (["31 Dec 2024", "1 Feb 2024"], ["2024-12-31", "2024-02-01"]),
        (["December 31, 2024", "February 1, 2024"], ["2024-12-31", "2024-02-01"]),
        (["2024/12/31", "2024/02/01"], ["2024-12-31", "2024-02-01"]),
        (["12/31/24", "02/01/24"], ["2024-12-31", "2024-02-01"]),
    ],
)
def test_dates_are_read_in_their_form(values, expected):
    text = column(values * 20)
    found = look_at(text)
    assert found.column.type == "datetime"
    assert found.values.tolist() == [pd.Timestamp(time) for time in expected] * 20
    assert to_datetimes(text, found.dates).tolist() == found.values.tolist()


def test_where_day_and_month_can_be_taken_for_each_other_it_is_said():
    found = look_at(column(["01/02/2024", "03/04/2024"] * 20))
    assert any("%d/%m/%Y" in note for note in found.notes)
    assert not any("%d/%m/%Y" in note for note in look_at(column(["01/02/2024", "12/31/2024"] * 20)).notes)


@pytest.mark.parametrize("values", [["01234", "98765"], ["red", "blue"], ["true", "false"], ["1", "x"]])
def test_all_other_text_is_a_category(values):
    assert look_at(column(values * 20)).column == Column(type="category")


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([20.0, 80.0], 0, 140),  # never below 0
        ([-5.0, 5.0], -15, 15),
        ([980.0, 1040.0], 920, 1100),
        ([0.25, 0.75], 0, 1.3),
        ([-90.0, -30.0], -150, 0),
    ],
)
def test_bounds_are_wider_than_what_was_seen(values, low, high):
    found = look_at(column(values * 20)).column
    assert (found.min, found.max) == (low, high)


def test_missing_values_make_a_column_nullable():
    assert look_at(column([1.0, None, 2.0] * 10)).column.nullable
    assert look_at(pd.Series(["a", None, "b"] * 10, dtype="str", name="x")).column.nullable


@pytest.mark.parametrize(
    ("values", "name", "why"),
    [
        (list(range(500, 600)), "Order Nr.", "numbers the rows"),
        (RNG.permutation(100).tolist(), "PassengerId", "numbers the rows"),
        (RNG.integers(0, 10**6, 100).tolist(), "customer_id", "by its name"),
        ([f"C-{n}" for n in range(100)], "customer", "an identifier or free text"),
        (["same"] * 100, "country", "the same value, 'same'"),
        ([None] * 100, "empty", "no row has a value"),
        (['{"a": 1}', '{"a": 2}'] * 50, "tags", "nested"),
    ],
)
def test_what_says_nothing_of_new_rows_is_left_out_with_the_reason(values, name, why):
    found = look_at(column(values, name))
    assert found.column is None
    assert why in found.why


def test_numbers_that_only_look_like_identifiers_are_kept():
    assert look_at(column(RNG.integers(0, 10**6, 300).tolist(), "amount")).column is not None
    assert look_at(column([1, 2, 3] * 100, "grade_id")).column is not None


@pytest.mark.parametrize(
    ("values", "task", "labels"),
    [
        (["yes", "no"], "classification", {"yes", "no"}),
        (["true", "false"], "classification", {0, 1}),
        (["True", "False"], "classification", {0, 1}),
        (["0", "1"], "classification", {0, 1}),
        ([1.0, 2.0, 3.0], "classification", {1, 2, 3}),
        (RNG.normal(size=50).tolist(), "regression", None),
        ([f"{n},5" for n in range(50)], "regression", None),
        (list(range(50)), "regression", None),
    ],
)
def test_the_task_is_told_by_the_target(values, task, labels):
    target = look_at_target(column(values * 20, "y"), None)
    assert target.task == task
    if labels:
        assert set(target.values) == labels


def test_rows_without_a_target_are_counted():
    target = look_at_target(pd.Series([1.0, 0.0, None] * 20, name="y"), None)
    assert target.has_value.sum() == len(target.values) == 40
    assert target.values.dtype == "int64"
    assert any("20 of 60 rows have no target" in note for note in target.notes)


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        ([None] * 50, None, "no row has a value of the target 'y'"),
        (["a"] * 50, None, "is 'a' in all rows"),
        (["a"] * 50 + ["b"] * 3, None, r"fewer than 10 rows: 'b' \(3\)"),
        ([f"name {n}" for n in range(200)] * 10, None, "200 different values"),
        (["a", "b"] * 50, "regression", "has to be a number"),
    ],
)
def test_a_target_that_can_not_be_learnt_is_refused(values, task, expected):
    with pytest.raises(ContractError, match=expected):
        look_at_target(pd.Series(values, name="y"), task)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_column_that_holds_the_answer_is_told_from_one_that_helps(classes):
    y = pd.Series(RNG.integers(0, classes, 600), name="y")
    columns = {
        "answer": y.map(str),
        "filled": y.where(y == 0).astype(float),  # only where the answer is 0
        "helps": y + RNG.normal(scale=1.0, size=600),
        "noise": pd.Series(RNG.choice([f"v{n}" for n in range(300)], 600)),
    }
    alone = measure_alone(columns, y, "classification")
    assert alone["answer"] > 0.99
    assert 0.6 < alone["helps"] < 0.95
    assert abs(alone["noise"] - 0.5) < 0.1
    assert alone["filled"] > (0.99 if classes == 2 else 0.7)


def test_a_regression_is_measured_by_its_r2():
    y = pd.Series(RNG.normal(size=600))
    alone = measure_alone({"copy": 2 * y + 1, "noise": pd.Series(RNG.normal(size=600))}, y, "regression")
    assert alone["copy"] > 0.95
    assert alone["noise"] < 0.1
