"""Inference of single columns and the target."""

import numpy as np
import pandas as pd
import pytest
from kedro_tabular.adoption.checks import single_column_scores
from kedro_tabular.adoption.columns import infer_column
from kedro_tabular.adoption.target import infer_target
from kedro_tabular.contract.contract import Column, ContractError
from kedro_tabular.contract.conversion import to_datetimes, to_numbers

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
def test_numbers_in_text_are_read_in_their_format(values, expected):
    text = column(values * 10)
    inferred = infer_column(text)
    assert inferred.column.type == "number"
    assert inferred.values.tolist() == expected * 10
    assert to_numbers(text, inferred.number_format).tolist() == expected * 10  # as the catalog's entry will


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
def test_dates_are_read_in_their_format(values, expected):
    text = column(values * 20)
    inferred = infer_column(text)
    assert inferred.column.type == "datetime"
    assert inferred.values.tolist() == [pd.Timestamp(time) for time in expected] * 20
    assert to_datetimes(text, inferred.datetime_format).tolist() == inferred.values.tolist()


def test_ambiguous_day_and_month_are_noted():
    inferred = infer_column(column(["01/02/2024", "03/04/2024"] * 20))
    assert any("%d/%m/%Y" in note for note in inferred.notes)
    assert not any("%d/%m/%Y" in note for note in infer_column(column(["01/02/2024", "12/31/2024"] * 20)).notes)


@pytest.mark.parametrize("values", [["01234", "98765"], ["red", "blue"], ["true", "false"], ["1", "x"]])
def test_all_other_text_is_a_category(values):
    assert infer_column(column(values * 20)).column == Column(type="category")


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
def test_bounds_are_wider_than_the_range_of_the_values(values, low, high):
    inferred = infer_column(column(values * 20)).column
    assert (inferred.min, inferred.max) == (low, high)


def test_missing_values_make_a_column_nullable():
    assert infer_column(column([1.0, None, 2.0] * 10)).column.nullable
    assert infer_column(pd.Series(["a", None, "b"] * 10, dtype="str", name="x")).column.nullable


@pytest.mark.parametrize(
    ("values", "name", "why"),
    [
        (list(range(500, 600)), "Order Nr.", "row number"),
        (RNG.permutation(100).tolist(), "PassengerId", "row number"),
        (RNG.integers(0, 10**6, 100).tolist(), "customer_id", "by its name"),
        ([f"C-{n}" for n in range(100)], "customer", "an identifier or free text"),
        (["same"] * 100, "country", "the same value, 'same'"),
        ([None] * 100, "empty", "all values are missing"),
        (['{"a": 1}', '{"a": 2}'] * 50, "tags", "nested"),
    ],
)
def test_columns_without_information_are_left_out_with_the_reason(values, name, why):
    inferred = infer_column(column(values, name))
    assert inferred.column is None
    assert why in inferred.reason


def test_numbers_that_only_look_like_identifiers_are_kept():
    assert infer_column(column(RNG.integers(0, 10**6, 300).tolist(), "amount")).column is not None
    assert infer_column(column([1, 2, 3] * 100, "grade_id")).column is not None


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
def test_the_task_is_inferred_from_the_target(values, task, labels):
    target = infer_target(column(values * 20, "y"), None)
    assert target.task == task
    if labels:
        assert set(target.values) == labels


def test_rows_without_a_target_are_counted():
    target = infer_target(pd.Series([1.0, 0.0, None] * 20, name="y"), None)
    assert target.has_value.sum() == len(target.values) == 40
    assert target.values.dtype == "int64"
    assert any("20 of 60 rows have no target" in note for note in target.notes)


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        ([None] * 50, None, "the target 'y' is missing in all rows"),
        (["a"] * 50, None, "is 'a' in all rows"),
        (["a"] * 50 + ["b"] * 3, None, r"fewer than 10 rows: 'b' \(3\)"),
        ([f"name {n}" for n in range(200)] * 10, None, "200 distinct values"),
        (["a", "b"] * 50, "regression", "must be a number"),
    ],
)
def test_a_target_without_a_possible_model_is_refused(values, task, expected):
    with pytest.raises(ContractError, match=expected):
        infer_target(pd.Series(values, name="y"), task)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_leaking_column_scores_higher_than_a_useful_one(classes):
    y = pd.Series(RNG.integers(0, classes, 600), name="y")
    columns = {
        "answer": y.map(str),
        "filled": y.where(y == 0).astype(float),  # only where the answer is 0
        "helps": y + RNG.normal(scale=1.0, size=600),
        "noise": pd.Series(RNG.choice([f"v{n}" for n in range(300)], 600)),
    }
    scores = single_column_scores(columns, y, "classification")
    assert scores["answer"] > 0.99
    assert 0.6 < scores["helps"] < 0.95
    assert abs(scores["noise"] - 0.5) < 0.1
    assert scores["filled"] > (0.99 if classes == 2 else 0.7)


def test_columns_of_a_regression_are_scored_by_r2():
    y = pd.Series(RNG.normal(size=600))
    scores = single_column_scores({"copy": 2 * y + 1, "noise": pd.Series(RNG.normal(size=600))}, y, "regression")
    assert scores["copy"] > 0.95
    assert scores["noise"] < 0.1
