"""Quality with its standard error, and its estimate without outcomes, on simulated rows with known outcomes."""

import numpy as np
import pytest
from kedro_tabular.evaluation.metrics import LabelledScores
from kedro_tabular.monitoring.estimation import calibrate, estimate_quality, measure_quality, metric_loss
from kedro_tabular.monitoring.profile import Calibration
from kedro_tabular.parameters import ParameterError
from sklearn import metrics as sk

from project import metrics as custom

CLASSES = np.array(["0", "1"], dtype=object)
CALIBRATED = [Calibration(probability=[0, 1], frequency=[0, 1])] * 2


def draw(n_rows, seed, spread=1.5, bias=0.0):
    """Scores, and outcomes that are drawn with these probabilities."""
    rng = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-rng.normal(bias, spread, n_rows)))
    y_true = CLASSES.take((rng.random(n_rows) < probability).astype(int))
    return np.stack([1 - probability, probability], axis=1), y_true


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "log_loss", "brier", "accuracy"])
def test_the_estimate_is_near_the_measured_metric_for_calibrated_probabilities(metric):
    scores, y_true = draw(20_000, 0)
    estimate = estimate_quality(scores, CLASSES, CALIBRATED, metric, 10, 0)
    measured = measure_quality(LabelledScores(y_true, scores, CLASSES), metric, 10, 0)
    assert estimate.metric == pytest.approx(measured.metric, abs=4 * measured.error)
    assert estimate.error == pytest.approx(measured.error, rel=0.5)


def test_the_estimate_is_lower_for_rows_that_are_harder_to_classify():
    easy, hard = draw(20_000, 0, spread=2.0)[0], draw(20_000, 0, spread=0.5)[0]
    estimates = [estimate_quality(scores, CLASSES, CALIBRATED, "roc_auc", 10, 0).metric for scores in (easy, hard)]
    assert estimates[0] > estimates[1] + 0.1


def test_uncalibrated_probabilities_are_calibrated_first():
    true_scores, y_true = draw(20_000, 1)
    squared = true_scores[:, 1] ** 2
    scores = np.stack([1 - squared, squared], axis=1)
    line = np.linspace(0, 1, 500)
    calibration = [
        Calibration(probability=line.tolist(), frequency=(1 - np.sqrt(1 - line)).tolist()),
        Calibration(probability=line.tolist(), frequency=np.sqrt(line).tolist()),
    ]
    assert calibrate(scores, calibration)[:, 1] == pytest.approx(true_scores[:, 1], abs=0.02)
    measured = measure_quality(LabelledScores(y_true, scores, CLASSES), "brier", 10, 0)
    assert estimate_quality(scores, CLASSES, calibration, "brier", 10, 0).metric == pytest.approx(
        measured.metric, abs=4 * measured.error
    )


def test_the_standard_error_is_the_standard_deviation_of_the_metric():
    repeated = [
        measure_quality(LabelledScores(*draw(8000, seed)[::-1], CLASSES), "roc_auc", 10, seed) for seed in range(40)
    ]
    deviation = np.std([quality.metric for quality in repeated])
    assert np.mean([quality.error for quality in repeated]) == pytest.approx(deviation, rel=0.35)
    scores, y_true = draw(8000, 0)
    assert repeated[0].metric == pytest.approx(sk.roc_auc_score(y_true == "1", scores[:, 1]))


def test_a_metric_of_the_project_is_estimated_with_the_weight_of_each_outcome(monkeypatch):
    def hits(y_true, probabilities, classes, sample_weight=None):
        return sk.accuracy_score(y_true, classes.take(probabilities.argmax(axis=1)), sample_weight=sample_weight)

    monkeypatch.setitem(custom.CLASSIFICATION, "hits", hits)
    scores, y_true = draw(20_000, 0, spread=3.0)
    exact = scores.max(axis=1).mean()  # the probability that the predicted class is the true one
    assert 0.8 < exact < 0.9
    estimate = estimate_quality(scores, CLASSES, CALIBRATED, "hits", 10, 0)
    assert estimate.metric == pytest.approx(exact, abs=1e-9)
    measured = measure_quality(LabelledScores(y_true, scores, CLASSES), "hits", 10, 0)
    assert estimate.metric == pytest.approx(measured.metric, abs=4 * measured.error)
    assert estimate.error == pytest.approx(measured.error, rel=0.5)


def test_a_metric_of_the_project_without_weights_is_measured_but_not_estimated(monkeypatch):
    monkeypatch.setitem(custom.CLASSIFICATION, "old", lambda y_true, p, c: (c.take(p.argmax(1)) == y_true).mean())
    scores, y_true = draw(1000, 0)
    measured = measure_quality(LabelledScores(y_true, scores, CLASSES), "old", 10, 0)
    assert measured.metric == pytest.approx((CLASSES.take(scores.argmax(axis=1)) == y_true).mean())
    with pytest.raises(ParameterError, match=r"the metric old in metrics\.py needs the parameter sample_weight"):
        estimate_quality(scores, CLASSES, CALIBRATED, "old", 10, 0)


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro"])
def test_the_quality_of_decisions_is_estimated_at_the_models_threshold(metric):
    scores, y_true = draw(20_000, 0)
    decisions = CLASSES.take((scores[:, 1] > 0.2).astype(int))
    estimate = estimate_quality(scores, CLASSES, CALIBRATED, metric, 10, 0, threshold=0.2)
    measured = measure_quality(LabelledScores(y_true, scores, CLASSES, decisions), metric, 10, 0)
    assert estimate.metric == pytest.approx(measured.metric, abs=4 * measured.error)
    assert estimate.metric < estimate_quality(scores, CLASSES, CALIBRATED, metric, 10, 0).metric - 0.03


def test_three_classes_and_a_regression_are_measured():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], 5000)
    classes = np.array(["a", "b", "c"], dtype=object)
    y_true = classes.take((rng.random(5000)[:, None] > scores.cumsum(axis=1)[:, :-1]).sum(axis=1))
    calibration = [Calibration(probability=[0, 1], frequency=[0, 1])] * 3
    measured = measure_quality(LabelledScores(y_true, scores, classes), "log_loss", 10, 0)
    assert estimate_quality(scores, classes, calibration, "log_loss", 10, 0).metric == pytest.approx(
        measured.metric, abs=4 * measured.error
    )
    predicted = rng.normal(size=1000)
    measured = measure_quality(LabelledScores(predicted + 2, predicted, None), "mae", 10, 0)
    assert measured.metric == pytest.approx(2)


def test_an_undefined_metric_is_none():
    scores, _ = draw(50, 0)
    one_class = LabelledScores(np.full(50, "1", dtype=object), scores, CLASSES)
    assert measure_quality(one_class, "roc_auc", 10, 0) is None
    assert measure_quality(one_class.select(np.arange(1)), "accuracy", 10, 0) is None
    assert estimate_quality(scores[:1], CLASSES, CALIBRATED, "roc_auc", 10, 0) is None


def test_a_larger_error_and_a_lower_score_are_a_loss():
    assert metric_loss("log_loss", 0.4, 0.5) == pytest.approx(0.1)
    assert metric_loss("roc_auc", 0.7, 0.6) == pytest.approx(0.1)
