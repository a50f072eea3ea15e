import numpy as np
import pytest
from kedro_tabular.modelling.fallback import GroupMeans, GroupRates
from scipy.special import logit

from ...conftest import fit_packaged, make_table

TREES = "sklearn.ensemble."
CASES = [  # answer, estimator, method, unit
    ("binary", None, "tree_shap", "margin"),
    ("text", None, "tree_shap", "margin"),
    ("number", None, "tree_shap", "prediction"),
    ("binary", {"class": TREES + "RandomForestClassifier"}, "tree_shap", "probability"),
    ("binary", {"class": "sklearn.linear_model.LogisticRegression"}, "coefficients", "margin"),
    ("text", {"class": "sklearn.linear_model.LogisticRegression"}, "coefficients", "margin"),
    ("number", {"class": "sklearn.linear_model.Ridge"}, "coefficients", "prediction"),
    ("binary", {"class": "sklearn.neighbors.KNeighborsClassifier"}, "replacement", "probability"),
    ("number", {"class": "sklearn.neighbors.KNeighborsRegressor"}, "replacement", "prediction"),
    # shap supports it for two classes only
    (
        "text",
        {"class": TREES + "GradientBoostingClassifier", "kwargs": {"n_estimators": 5}},
        "replacement",
        "probability",
    ),
]


@pytest.mark.parametrize(("answer", "estimator", "method", "unit"), CASES)
def test_contributions_add_up_to_the_output(answer, estimator, method, unit):
    model = fit_packaged(answer, estimator)
    predictions = model.predict(make_table(12, answer, seed=1), {"explain": True})
    assert set(predictions["source"]) == {"model"}
    for row in predictions.to_dict("records"):
        explanation = row["explanation"]
        assert (explanation["method"], explanation["unit"]) == (method, unit)
        assert explanation["base"] + sum(explanation["contributions"].values()) == pytest.approx(explanation["output"])
        assert set(explanation["contributions"]) - {"(interactions)"} == set(model.preprocessor.get_feature_names_out())
        if answer == "number":
            assert explanation["output"] == pytest.approx(row["prediction"])
        elif answer == "binary":
            assert explanation["class"] == "1"
            expected = logit(row["probability_1"]) if unit == "margin" else row["probability_1"]
            assert explanation["output"] == pytest.approx(expected)
        else:
            assert explanation["class"] == row["prediction"]


def test_an_explanation_is_the_same_alone_and_in_a_batch():
    model, live = fit_packaged("binary"), make_table(8, seed=1)
    together = model.predict(live, {"explain": True})["explanation"]
    alone = [model.predict(live.iloc[[i]], {"explain": True})["explanation"].iloc[0] for i in range(8)]
    assert list(together) == alone


def test_a_prediction_is_the_same_with_and_without_its_explanation():
    model, live = fit_packaged("binary"), make_table(8, seed=1)
    explained = model.predict(live, {"explain": True})
    assert explained.drop(columns="explanation").equals(model.predict(live))


@pytest.mark.parametrize("answer", ["binary", "number"])
def test_the_fallback_is_explained_by_its_groups(answer):
    model = fit_packaged(answer)
    live = make_table(6, answer, seed=1).assign(size=-1.0)
    for row in model.predict(live, {"explain": True}).to_dict("records"):
        explanation = row["explanation"]
        assert explanation["method"] == "fallback"
        assert list(explanation["contributions"]) == ["colour"]
        assert explanation["base"] + explanation["contributions"]["colour"] == pytest.approx(explanation["output"])
        assert explanation["output"] == row["prediction" if answer == "number" else "probability_1"]


def test_small_and_unknown_groups_are_replaced_by_larger_ones():
    table = make_table(300).assign(town=lambda t: t["town"].where(t["colour"] == "red", "here"))
    rates = GroupRates(by=["colour", "town"], min_rows=20).fit(table, table["answer"])
    rows = table.iloc[:3].assign(colour=["blue", "red", "mauve"], town=["here", "town 1", "here"])
    blue, red = (table["colour"] == colour for colour in ("blue", "red"))
    expected = [table["answer"][blue].mean(), table["answer"][red].mean(), table["answer"].mean()]
    np.testing.assert_allclose(rates.predict_proba(rows)[:, 1], expected)
    means = GroupMeans(by=["colour"], min_rows=20).fit(table, table["size"])
    assert means.predict(rows)[0] == pytest.approx(table["size"][blue].mean())


def test_an_unknown_column_of_a_group_is_refused():
    with pytest.raises(ValueError, match="there is no column nope"):
        GroupRates(by=["nope"]).fit(make_table(10), [0, 1] * 5)
