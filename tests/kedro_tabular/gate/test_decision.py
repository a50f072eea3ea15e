"""The decision threshold in the comparison and in the report."""

import numpy as np
import pytest
from kedro_tabular.evaluation.metrics import LabelledScores, compute_metrics
from kedro_tabular.gate.comparison import compare_models

from ...conftest import make_contract, make_table
from .test_gate import GATE, champion_with, compare, failed, predict, with_changes
from .test_packaging import GUARD_ASSESSMENT, write_report

ASSESSMENT = {
    "threshold": 0.17,
    "positive_class": "yes",
    "chosen_by": "costs",
    "costs": {"false_positive": 1.0, "false_negative": 5.0},
    "levels": [
        {"threshold": 0.17, "precision": 0.31, "recall": 0.8123, "f1": 0.45, "positive_share": 0.3, "cost": 0.44},
        {"threshold": 0.5, "precision": None, "recall": 0.0, "f1": 0.0, "positive_share": 0.0, "cost": 0.55},
    ],
}


@pytest.fixture(scope="module")
def table():
    return make_table(1500)


def at(threshold, predictions):
    return predictions.assign(prediction=(predictions["probability_1"] > threshold).astype("Int64"))


def test_each_model_is_measured_with_its_own_predictions(table):
    """Champion and challenger have the same probabilities, but not the same threshold."""
    scores = predict(table, 1.0)
    champion = champion_with(at(0.2, scores))
    _, comparison, metrics = compare(table, at(0.5, scores), champion)
    accuracy = comparison.metrics["accuracy"]
    assert accuracy["challenger"] == metrics["accuracy"] == (at(0.5, scores)["prediction"] == table["answer"]).mean()
    assert accuracy["champion"] == (at(0.2, scores)["prediction"] == table["answer"]).mean()
    assert accuracy["gain_low"] > 0
    assert comparison.metrics["roc_auc"]["gain"] == comparison.metrics["log_loss"]["gain"] == 0


def test_metrics_of_the_predicted_class_count_only_at_the_same_threshold(table):
    """A threshold chosen for its costs is meant to be less accurate."""
    scores = predict(table, 1.0)
    all_metrics = with_changes(champion={"metrics": []})
    verdict, _, _ = compare(table, at(0.1, scores), champion_with(at(0.5, scores)), all_metrics)
    assert verdict["metrics"]["accuracy"]["gain_high"] < -0.02
    assert failed(verdict) == []
    named = with_changes(champion={"metrics": ["accuracy"]})
    assert failed(compare(table, at(0.1, scores), champion_with(at(0.5, scores)), named)[0]) == ["champion accuracy"]


def test_the_positive_class_is_the_second_one_also_where_text_sorts_otherwise(table):
    numbers = table.assign(answer=table["answer"] + 9)
    names = {"probability_0": "probability_9", "probability_1": "probability_10"}
    predictions = predict(table, 1.0).rename(columns=names).assign(answer=numbers["answer"])
    predictions["prediction"] += 9
    champion = champion_with(predictions.drop(columns="answer"))
    comparison = compare_models(champion, numbers, predictions, make_contract(), GATE, {}, 10, seed=0)
    classes, scores = np.array(["9", "10"], dtype=object), predictions[["probability_9", "probability_10"]].to_numpy()
    expected = compute_metrics(
        LabelledScores(numbers["answer"].astype(str).to_numpy(dtype=object), scores, classes), 10
    )
    assert {name: row["challenger"] for name, row in comparison.metrics.items()} == pytest.approx(expected)
    for row in comparison.metrics.values():
        assert row["low"] <= row["challenger"] <= row["high"]


def test_the_report_shows_the_threshold_beside_one_half(table):
    verdict, comparison, metrics = compare(table, predict(table, 1), None)
    baseline = dict.fromkeys([f"dummy_{name}" for name in metrics], 0.5)
    arguments = (verdict, comparison, metrics | baseline, {}, "<svg/>", GUARD_ASSESSMENT, "<svg/>", {}, make_contract())
    report = " ".join(write_report(*arguments, ASSESSMENT).split())
    for shown in (
        "Class <code>yes</code> is predicted where its probability is above 0.1700, which has the lowest cost on",
        "a false positive costs 1 and a false negative 5:",
        "0.8123",
        "0.5500",
    ):
        assert shown in report
    assert "Decision threshold" not in write_report(*arguments)
    assert "Decision threshold" not in write_report(*arguments, ASSESSMENT | {"levels": []})
    by_number = " ".join(write_report(*arguments, ASSESSMENT | {"chosen_by": 0.17, "costs": None}).split())
    assert "is above 0.1700. On the test rows:" in by_number
    assert "Mean cost" not in by_number
