import numpy as np
import pandas as pd
import pytest
from kedro_tabular.modelling import serialization
from kedro_tabular.modelling.guard import Guard, conformal_quantile
from kedro_tabular.parameters import ParameterError
from mapie.classification import SplitConformalClassifier
from mapie.regression import SplitConformalRegressor
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression

from ...conftest import GUARD, fit_packaged, make_table


@pytest.fixture(scope="module")
def model():
    return fit_packaged("binary", {"class": "sklearn.linear_model.LogisticRegression"})


def predict(model, **values):
    """The prediction for a valid row with some values changed."""
    row = make_table(20).astype({"size": object, "weight": object}).iloc[[3]]
    (prediction,) = model.predict(row.assign(**values)).to_dict("records")
    return prediction


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
def test_reasons_decide_between_model_and_fallback(values, source, reasons):
    # with a wide margin, so that the distance flags a row that the range does not
    strict = fit_packaged("binary", margin=0.2, actions=GUARD["actions"] | {"uncertain": "off"})
    prediction = predict(strict, **values)
    assert (prediction["source"], list(prediction["reasons"])) == (source, reasons)


def test_off_adds_no_reason_and_flag_leaves_the_row_to_the_model():
    codes = ("missing", "wrong_type", "out_of_range", "unseen_category", "outside_training")
    actions = dict.fromkeys((*codes, "far_from_training", "uncertain"), "off")
    invalid = {"colour": "mauve", "size": "big", "weight": 1e300}
    prediction = predict(fit_packaged("binary", actions=actions), **invalid)
    assert (prediction["source"], prediction["reasons"]) == ("model", ())
    flagged = predict(fit_packaged("binary", actions=dict.fromkeys(actions, "flag")), **invalid)
    assert flagged["source"] == "model"
    assert {reason.partition(":")[0] for reason in flagged["reasons"]} >= {
        "wrong_type",
        "unseen_category",
        "outside_training",
        "far_from_training",
    }


SIZE = 4  # its position among the features of a linear model


class Fragile(LogisticRegression):
    """Fails where the scaled size is large."""

    def predict_proba(self, X):
        if (X[:, SIZE] > 1.5).any():
            raise ValueError("too large")
        probabilities = super().predict_proba(X)
        probabilities[X[:, SIZE] < -1.5] = np.nan
        return probabilities


def test_rows_on_which_the_estimator_fails_fall_back_and_others_do_not(model):
    live = make_table(60, seed=3)
    live["size"] = 50.0
    live.loc[7, "size"], live.loc[9, "size"] = 99.0, 1.0
    expected = model.predict(live)
    step = model.estimator[-1]
    step.__class__ = Fragile
    try:
        predictions = model.predict(live)
    finally:
        step.__class__ = LogisticRegression
    assert predictions.loc[7, "reasons"] == predictions.loc[9, "reasons"] == ("failed",)
    assert list(predictions.index[predictions["source"] == "fallback"]) == [7, 9]
    pd.testing.assert_frame_equal(predictions.drop(index=[7, 9]), expected.drop(index=[7, 9]))


def test_prediction_sets_and_their_coverage_equal_those_of_mapie():
    X, y = make_classification(9000, n_classes=3, n_informative=6, flip_y=0.2, random_state=0)
    fitted = LogisticRegression().fit(X[:3000], y[:3000])
    mapie = SplitConformalClassifier(fitted, confidence_level=0.8, conformity_score="lac", prefit=True)
    sets = mapie.conformalize(X[3000:6000], y[3000:6000]).predict_set(X[6000:])[1][:, :, 0]
    limit = conformal_quantile(y[3000:6000], fitted.predict_proba(X[3000:6000]), fitted.classes_, 0.2)
    ours = 1 - fitted.predict_proba(X[6000:]) <= limit
    assert (ours == sets).all()
    assert ours[np.arange(3000), y[6000:]].mean() == pytest.approx(0.8, abs=0.02)


def test_intervals_and_their_coverage_equal_those_of_mapie():
    X, y = make_regression(6000, noise=20, random_state=0)
    fitted = LinearRegression().fit(X[:2000], y[:2000])
    mapie = SplitConformalRegressor(fitted, confidence_level=0.9, prefit=True)
    bounds = mapie.conformalize(X[2000:4000], y[2000:4000]).predict_interval(X[4000:])[1][:, :, 0]
    limit = conformal_quantile(y[2000:4000], fitted.predict(X[2000:4000])[:, None], None, 0.1)
    predicted = fitted.predict(X[4000:])
    np.testing.assert_allclose(np.stack([predicted - limit, predicted + limit], axis=1), bounds)
    assert (np.abs(y[4000:] - predicted) <= limit).mean() == pytest.approx(0.9, abs=0.02)


def test_too_few_calibration_rows_make_every_class_possible():
    limit = conformal_quantile(np.array([0, 1]), np.full((2, 2), 0.5), np.array([0, 1]), 0.1)
    assert limit == np.inf


def test_an_interval_that_is_too_wide_falls_back():
    unlimited = fit_packaged("number")
    width = 2 * unlimited.guard.limit
    limited = fit_packaged("number", max_width=width * 0.9, actions={"uncertain": "fallback"})
    live = make_table(5, "number", seed=2)
    predictions = unlimited.predict(live)
    assert set(predictions["source"]) == {"model"}
    np.testing.assert_allclose(predictions["upper"] - predictions["lower"], width)
    assert set(limited.predict(live)["source"]) == {"fallback"}


def test_a_row_that_the_fallback_predicts_has_no_interval():
    model, live = fit_packaged("number"), make_table(50, "number", seed=2)
    live.loc[:9, "size"] = -1.0
    live.loc[10:19, "weight"] = 1e6
    predictions = model.predict(live)
    assert predictions["source"].tolist() == ["fallback"] * 20 + ["model"] * 30
    bounds = predictions[["lower", "upper"]]
    assert bounds.loc[:19].isna().all(axis=None)
    assert bounds.loc[20:].notna().all(axis=None)
    assert predictions["prediction"].notna().all()


def test_a_guard_that_an_earlier_release_has_stored_is_read(tmp_path):
    model, live = fit_packaged("number"), make_table(5, "number", seed=2).assign(size=-1.0)
    model.guard.fallback_limit = 1.5  # the half width of an interval that was answered outside the contract
    serialization.dump(model.guard, tmp_path / "guard.skops", ["numpy.dtype"])
    model.guard = serialization.load(tmp_path / "guard.skops", ["numpy.dtype"])
    assert model.predict(live)["upper"].isna().all()


def test_collinear_and_constant_columns_do_not_break_the_distance(contract):
    rows = make_table(200).assign(size=lambda t: t["weight"].fillna(0) * 2, weight=lambda t: t["size"] / 2)
    constant = rows.assign(size=5.0, weight=np.nan)
    for table in (rows, constant):
        guard = Guard(GUARD).fit(contract, table, table[["size"]])
        assert np.isfinite(guard.max_distance)
        assert np.isfinite(guard._distances(table[guard.numbers].to_numpy())).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 1}, r"guard\.alpha"),
        ({"actions": {"uncertain": "ignore"}}, r"guard\.actions\.uncertain"),
        ({"actions": {"unsure": "flag"}}, r"guard\.actions\.unsure"),
    ],
)
def test_invalid_settings_are_refused_by_their_key(change, message):
    with pytest.raises(ParameterError, match=message):
        Guard(GUARD | change)
