import numpy as np
import pandas as pd
import pytest
from mapie.classification import SplitConformalClassifier
from mapie.regression import SplitConformalRegressor
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression

from kedro_tabular.modelling.guard import Guard, conformal_quantile
from kedro_tabular.parameters import ParameterError

from ...conftest import GUARD, fit_packaged, make_table


@pytest.fixture(scope="module")
def model():
    return fit_packaged("binary", {"class": "sklearn.linear_model.LogisticRegression"})


def answer(model, **values):
    """The answer to a sound row with some values changed."""
    row = make_table(20).astype({"size": object, "weight": object}).iloc[[3]]
    (answered,) = model.predict(row.assign(**values)).to_dict("records")
    return answered


@pytest.mark.parametrize(
    ("values", "source", "reasons"),
    [
        ({}, "model", []),
        ({"colour": "mauve"}, "model", ["unseen_category:colour=mauve"]),
        ({"town": None, "weight": None}, "model", []),
        ({"weight": 30.0}, "fallback", ["outside_training:weight=30"]),
        ({"weight": 3.2}, "fallback", ["far_from_training:3.82"]),
        ({"size": -1}, "fallback", ["out_of_range:size=-1"]),
        ({"colour": None, "size": "big"}, "fallback", ["missing:colour", "wrong_type:size=big"]),
    ],
)
def test_what_is_found_decides_who_answers(values, source, reasons):
    # a wide margin, so that the distance has something to find that the range has not
    strict = fit_packaged("binary", margin=0.2, actions=GUARD["actions"] | {"uncertain": "off"})
    answered = answer(strict, **values)
    assert (answered["source"], list(answered["reasons"])) == (source, reasons)


def test_off_looks_for_nothing_and_flag_leaves_the_row_to_the_model():
    codes = ("missing", "wrong_type", "out_of_range", "unseen_category", "outside_training")
    actions = dict.fromkeys((*codes, "far_from_training", "uncertain"), "off")
    spoilt = {"colour": "mauve", "size": "big", "weight": 1e300}
    answered = answer(fit_packaged("binary", actions=actions), **spoilt)
    assert (answered["source"], answered["reasons"]) == ("model", ())
    flagged = answer(fit_packaged("binary", actions=dict.fromkeys(actions, "flag")), **spoilt)
    assert flagged["source"] == "model"
    assert {reason.partition(":")[0] for reason in flagged["reasons"]} >= {
        "wrong_type",
        "unseen_category",
        "outside_training",
        "far_from_training",
    }


class Fragile(LogisticRegression):
    """Can't answer where the scaled third feature is large."""

    def predict_proba(self, X):
        if (X[:, 2] > 1.5).any():
            raise ValueError("too large")
        answers = super().predict_proba(X)
        answers[X[:, 2] < -1.5] = np.nan
        return answers


def test_rows_that_the_estimator_fails_on_fall_back_and_leave_the_others(model):
    live = make_table(60, seed=3)
    live["size"] = 50.0
    live.loc[7, "size"], live.loc[9, "size"] = 99.0, 1.0
    expected = model.predict(live)
    step = model.estimator[-1]
    step.__class__ = Fragile
    try:
        answers = model.predict(live)
    finally:
        step.__class__ = LogisticRegression
    assert answers.loc[7, "reasons"] == answers.loc[9, "reasons"] == ("failed",)
    assert list(answers.index[answers["source"] == "fallback"]) == [7, 9]
    pd.testing.assert_frame_equal(answers.drop(index=[7, 9]), expected.drop(index=[7, 9]))


def test_sets_of_classes_are_mapies_and_hold_the_truth_as_often_as_asked():
    X, y = make_classification(9000, n_classes=3, n_informative=6, flip_y=0.2, random_state=0)
    fitted = LogisticRegression().fit(X[:3000], y[:3000])
    mapie = SplitConformalClassifier(fitted, confidence_level=0.8, conformity_score="lac", prefit=True)
    sets = mapie.conformalize(X[3000:6000], y[3000:6000]).predict_set(X[6000:])[1][:, :, 0]
    limit = conformal_quantile(y[3000:6000], fitted.predict_proba(X[3000:6000]), fitted.classes_, 0.2)
    ours = 1 - fitted.predict_proba(X[6000:]) <= limit
    assert (ours == sets).all()
    assert ours[np.arange(3000), y[6000:]].mean() == pytest.approx(0.8, abs=0.02)


def test_intervals_are_mapies_and_hold_the_truth_as_often_as_asked():
    X, y = make_regression(6000, noise=20, random_state=0)
    fitted = LinearRegression().fit(X[:2000], y[:2000])
    mapie = SplitConformalRegressor(fitted, confidence_level=0.9, prefit=True)
    bounds = mapie.conformalize(X[2000:4000], y[2000:4000]).predict_interval(X[4000:])[1][:, :, 0]
    limit = conformal_quantile(y[2000:4000], fitted.predict(X[2000:4000])[:, None], None, 0.1)
    predicted = fitted.predict(X[4000:])
    np.testing.assert_allclose(np.stack([predicted - limit, predicted + limit], axis=1), bounds)
    assert (np.abs(y[4000:] - predicted) <= limit).mean() == pytest.approx(0.9, abs=0.02)


def test_too_few_calibration_rows_leave_everything_possible():
    limit = conformal_quantile(np.array([0, 1]), np.full((2, 2), 0.5), np.array([0, 1]), 0.1)
    assert limit == np.inf


def test_an_interval_that_is_too_wide_falls_back():
    sure, wide = fit_packaged("number"), None
    width = 2 * sure.guard.limit
    wide = fit_packaged("number", max_width=width * 0.9, actions={"uncertain": "fallback"})
    live = make_table(5, "number", seed=2)
    answers = sure.predict(live)
    assert set(answers["source"]) == {"model"}
    np.testing.assert_allclose(answers["upper"] - answers["lower"], width)
    assert set(wide.predict(live)["source"]) == {"fallback"}


def test_columns_that_say_the_same_or_nothing_do_not_break_the_distance(contract):
    rows = make_table(200).assign(size=lambda t: t["weight"].fillna(0) * 2, weight=lambda t: t["size"] / 2)
    constant = rows.assign(size=5.0, weight=np.nan)
    for table in (rows, constant):
        guard = Guard(GUARD).fit(contract, table, table[["size"]])
        assert np.isfinite(guard.farthest)
        assert np.isfinite(guard._distances(table[guard.numbers].to_numpy())).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 1}, r"guard\.alpha"),
        ({"actions": {"uncertain": "ignore"}}, r"guard\.actions\.uncertain"),
        ({"actions": {"unsure": "flag"}}, r"guard\.actions\.unsure"),
    ],
)
def test_wrong_settings_are_refused_by_their_key(change, message):
    with pytest.raises(ParameterError, match=message):
        Guard(GUARD | change)
