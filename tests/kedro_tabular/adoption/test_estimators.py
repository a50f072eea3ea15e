"""The estimator that `kedro adopt` chooses."""

import numpy as np
import pandas as pd
import pytest
from kedro_tabular.adoption.estimators import Candidate, _simplest, choose_days, choose_estimator
from kedro_tabular.adoption.split import choose_split

from ...conftest import make_table
from .test_settings import infer

FEATURES = {"max_codes": 20, "datetime_parts": ["hour", "weekday"]}


@pytest.mark.parametrize(("answer", "chosen"), [("binary", "linear"), ("number", "linear")])
def test_the_simplest_estimator_that_is_as_good_as_the_best_is_chosen(tmp_path, answer, chosen):
    inferred = infer(make_table(800, answer), tmp_path)
    train = choose_split(inferred).parts.train
    choice = choose_estimator(train, inferred.contract, FEATURES, [], None)
    assert f"{chosen} is" in choice.note
    assert "linear_model" in choice.parameters["class"]
    assert choose_estimator(train, inferred.contract, FEATURES, [], "forest").parameters["class"].count("Forest")


def test_a_steep_advantage_of_trees_is_seen(tmp_path):
    table = make_table(800)
    table["answer"] = ((table["size"] // 20 % 2 == 0) ^ (table["colour"] == "red")).astype(int)
    inferred = infer(table, tmp_path)
    choice = choose_estimator(choose_split(inferred).parts.train, inferred.contract, FEATURES, [], None)
    assert "linear_model" not in choice.parameters["class"]


def test_a_simpler_estimator_is_as_good_as_the_best_if_the_rows_do_not_tell_them_apart():
    best = Candidate("best", {}, np.zeros(400))
    hardly_worse = Candidate("simple", {}, np.tile([-0.95, 1.0], 200))
    assert _simplest([hardly_worse, best], best) is hardly_worse
    always_worse = Candidate("simple", {}, np.full(400, 0.05))
    assert _simplest([always_worse, best], best) is best


def test_an_estimator_that_is_better_on_most_rows_is_taken_though_a_few_rows_make_most_of_the_error():
    """As with squared errors of a target with long tails: one row hides what the others tell."""
    best = Candidate("best", {}, np.zeros(400))
    losses = np.full(400, 0.05)
    losses[:2] = 30.0, -28.0
    assert losses.mean() < losses.std(ddof=1) / 20  # within a standard error
    assert _simplest([Candidate("simple", {}, losses), best], best) is best


def test_many_rows_are_compared_in_few_folds(tmp_path):
    table = make_table(9000, "number").drop(columns=["town", "when"])
    inferred = infer(table, tmp_path)
    note = choose_estimator(table, inferred.contract, FEATURES, [], None).note
    assert "RMSE in 3-fold cross-validation on 9,000 training rows: linear" in note


@pytest.mark.parametrize(
    ("drift", "expected"), [("trend", ["hour", "weekday", "days"]), ("season", ["hour", "weekday"])]
)
def test_days_are_a_feature_if_they_help_on_later_rows(tmp_path, drift, expected):
    days = np.arange(800) * 730 / 800
    table = make_table(800, "number").assign(when=pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"))
    table["answer"] += days / 50 if drift == "trend" else 3 * np.sin(days / 9)
    inferred = infer(table, tmp_path, time="when")
    assert choose_days(table, inferred.contract, FEATURES)["datetime_parts"] == expected
