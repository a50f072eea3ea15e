"""The decision threshold: how it is chosen, and that all that depends on the predicted class follows it."""

import numpy as np
import pandas as pd
import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.evaluation.decision import Costs, assess_decision, choose_decision, find_threshold
from kedro_tabular.evaluation.labelled_scores import LabelledScores
from kedro_tabular.evaluation.metrics import compute_metrics, score_baseline
from kedro_tabular.evaluation.plots import classification_plots
from kedro_tabular.evaluation.resampling import make_statistic
from kedro_tabular.modelling.packaged_model import PackagedModel
from kedro_tabular.modelling.scores import decide
from kedro_tabular.parameters import ParameterError
from sklearn import metrics as sk

from project.pipelines.feature_engineering.nodes import fit_preprocessor
from project.pipelines.training.nodes import fit_guard, train_estimator, train_fallback

from ...conftest import GUARD, fit_packaged, make_contract, make_table

COSTS = {"false_positive": 1, "false_negative": 5}
CHURN = make_contract()


def make_churn(n_rows, seed):
    """Customers of whom about one in nine leaves, which no column tells for certain."""
    table = make_table(n_rows, seed=seed)
    margin = -3.4 + table["size"] / 40 + (table["colour"] == "red")
    leaves = np.random.default_rng(seed).random(n_rows) < 1 / (1 + np.exp(-margin))
    return table.assign(answer=np.where(leaves, "yes", "no"))


@pytest.fixture(scope="module")
def fitted():
    """The fitted parts of a model of churn: preprocessor, estimator, guard and fallback."""
    train, calibration = make_churn(2000, seed=0), make_churn(1000, seed=1)
    features = {"max_codes": 20, "datetime_parts": ["hour"]}
    estimator = {"class": "sklearn.ensemble.HistGradientBoostingClassifier", "kwargs": {"max_iter": 20}}
    preprocessor, train_features = fit_preprocessor(train, CHURN, features, estimator["class"], seed=0)
    model = train_estimator(train_features, train, CHURN, estimator, seed=0)
    by = {"class": "kedro_tabular.modelling.GroupRates", "kwargs": {"by": ["colour"]}}
    fallback = train_fallback(train, CHURN, by, seed=0)
    guard = fit_guard(train, train_features, calibration, preprocessor, model, CHURN, GUARD)
    return preprocessor, model, guard, fallback


def choose(fitted, **decision):
    return choose_decision(make_churn(1000, seed=1), *fitted, CHURN, {"threshold": 0.5, "costs": COSTS} | decision)


def predict_churn(fitted, decision, seed=2):
    table = make_churn(4000, seed)
    packaged = PackagedModel.from_parts(Contract.from_parameters(CHURN), *fitted, decision["threshold"])
    return pd.concat([table[["answer"]], packaged.predict(table)], axis=1)


def test_at_the_threshold_of_the_costs_the_test_rows_cost_less_than_at_half(fitted):
    decision = choose(fitted, threshold="costs")
    assert decision["positive_class"] == "yes"
    assert 0.05 < decision["threshold"] < 0.35  # with true probabilities it would be 1 / (1 + 5)
    chosen, default = assess_decision(predict_churn(fitted, decision), CHURN, decision)["levels"]
    assert default["threshold"] == 0.5
    assert default["recall"] < 0.1  # nearly all who leave are missed
    assert chosen["cost"] < 0.9 * default["cost"]
    assert chosen["recall"] > default["recall"] + 0.3


def test_at_the_threshold_of_the_best_f1_the_test_rows_have_a_better_f1_than_at_half(fitted):
    decision = choose(fitted, threshold="best_f1")
    chosen, default = assess_decision(predict_churn(fitted, decision), CHURN, decision)["levels"]
    assert chosen["f1"] > default["f1"] + 0.1


def test_a_number_is_the_threshold(fitted):
    assert choose(fitted) == {"threshold": 0.5, "positive_class": "yes", "chosen_by": 0.5, "costs": COSTS}
    assert choose(fitted, threshold=0.3, costs=None)["threshold"] == 0.3
    levels = assess_decision(predict_churn(fitted, choose(fitted)), CHURN, choose(fitted))["levels"]
    assert [level["threshold"] for level in levels] == [0.5]


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        ({"threshold": 1.5}, r"decision\.threshold: must be a number between 0 and 1, best_f1 or costs \(got 1\.5\)"),
        ({"threshold": "cost"}, r"decision\.threshold: must be a number .* \(got 'cost'\)"),
        ({"threshold": "costs", "costs": None}, "needs costs"),
        ({"costs": {"false_positive": 1}}, r"decision\.costs\.false_negative: Field required"),
        ({"costs": COSTS | {"false_positive": -1}}, r"decision\.costs\.false_positive"),
    ],
)
def test_an_invalid_section_is_refused_by_its_key(fitted, decision, message):
    with pytest.raises(ParameterError, match=message):
        choose(fitted, **decision)


@pytest.mark.parametrize(("answer", "task"), [("number", "a regression"), ("text", "a classification with 3 classes")])
def test_a_threshold_needs_two_classes(answer, task):
    model, table = fit_packaged(answer), make_table(50, answer)
    fitted = (model.preprocessor, model.estimator, model.guard, model.fallback)
    contract = make_contract("regression" if answer == "number" else "classification")
    decision = choose_decision(table, *fitted, contract, {"threshold": 0.5, "costs": COSTS})
    assert decision["threshold"] is None
    predictions = pd.concat([table[["answer"]], model.predict(table)], axis=1)
    assert assess_decision(predictions, contract, decision)["levels"] == []
    for threshold in (0.3, "best_f1"):
        with pytest.raises(ParameterError, match=rf"decision\.threshold in conf/: {threshold} .* this is {task}"):
            choose_decision(table, *fitted, contract, {"threshold": threshold})


def test_calibration_rows_of_one_class_are_refused(fitted):
    table = make_churn(300, seed=1).query("answer == 'no'")
    with pytest.raises(ParameterError, match="calibration rows have one class only"):
        choose_decision(table, *fitted, CHURN, {"threshold": "best_f1"})


@pytest.mark.parametrize("costs", [None, Costs(false_positive=1, false_negative=3)])
@pytest.mark.parametrize("decimals", [1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_is_better(costs, decimals, seed):
    rng = np.random.default_rng(seed)
    probability = rng.beta(1, 3, 60).round(decimals)  # with ties, at 0 too
    is_positive = rng.random(60) < probability * 0.7 + 0.1

    def loss(threshold):
        is_predicted = decide(np.stack([1 - probability, probability], axis=1), threshold) == 1
        if costs is None:
            return -sk.f1_score(is_positive, is_predicted, zero_division=0)
        return (is_predicted & ~is_positive).sum() + 3 * (is_positive & ~is_predicted).sum()

    found = find_threshold(is_positive, probability, costs)
    at = np.unique([0.0001, *probability, 0.9999]).clip(0.0001, 0.9999)
    assert loss(found) == pytest.approx(min(loss(threshold) for threshold in [*at, *(at[1:] + at[:-1]) / 2]))


def test_half_is_the_most_probable_class_whatever_the_rounding():
    third = np.array([[1 - 1 / 3, 1 / 3], [0.49999999999999994, 0.5], [0.5, 0.5]])
    assert decide(third, 0.5).tolist() == decide(third, None).tolist() == third.argmax(axis=1).tolist() == [0, 1, 0]
    assert decide(third, 0.3).tolist() == [1, 1, 1]
    assert decide(third, 0.7).tolist() == [0, 0, 0]


def test_metrics_of_the_decision_follow_the_prediction_and_others_do_not(fitted):
    at_half, decided = (predict_churn(fitted, {"threshold": threshold}) for threshold in (0.5, 0.15))
    contract = Contract.from_parameters(CHURN)
    scored = LabelledScores.from_predictions(decided, contract)
    metrics = compute_metrics(scored, 10)
    assert metrics["accuracy"] == sk.accuracy_score(decided["answer"], decided["prediction"])
    assert metrics["f1_macro"] == sk.f1_score(decided["answer"], decided["prediction"], average="macro")
    before = compute_metrics(LabelledScores.from_predictions(at_half, contract), 10)
    assert {name for name in metrics if metrics[name] != before[name]} == {"accuracy", "f1_macro"}
    for rows in (np.arange(4000), np.random.default_rng(0).integers(0, 4000, 4000)):
        weights = np.bincount(rows, minlength=4000).astype(float)[:, None]
        expected = compute_metrics(scored.select(rows), 10)
        values = {name: make_statistic(name, scored, 10)(weights)[0] for name in metrics}
        assert values == pytest.approx(expected, rel=1e-9)
    most_frequent = (decided["answer"] == "no").mean()
    assert compute_metrics(score_baseline(scored, decided["answer"].to_numpy()), 10)["accuracy"] == most_frequent
    plots = [
        classification_plots(s.y_true, s.scores, s.classes, 10, s.predicted)["confusion_matrix"]
        for s in (scored, scored._replace(decisions=None))
    ]
    assert f"{(decided['prediction'].eq('yes') & decided['answer'].eq('yes')).sum():,}" in plots[0]
    assert plots[0] != plots[1]


def test_a_prediction_that_is_no_class_counts_as_the_most_probable_one(contract):
    """An earlier release rejected rows: integers are then stored as 1.0, and what is missing as NaN."""
    scores = {"probability_0": [0.2, 0.9, np.nan], "probability_1": [0.8, 0.1, np.nan]}
    rejecting = pd.DataFrame({"answer": [1, 0, 0], "prediction": [1.0, 0.0, np.nan], **scores})
    scored = LabelledScores.from_predictions(rejecting, contract)
    assert scored.predicted[:2].tolist() == ["1", "0"]
