"""Quality with its error, and its estimate without outcomes, on rows whose truth is known."""

import numpy as np
import pytest
from sklearn import metrics as sk

from kedro_tabular.evaluation.metrics import LabelledScores
from kedro_tabular.monitoring.estimation import calibrate, estimate_quality, measure_quality, worsening
from kedro_tabular.monitoring.profile import Calibration

CLASSES = np.array(["0", "1"], dtype=object)
HONEST = [Calibration(probability=[0, 1], frequency=[0, 1])] * 2


def draw(n_rows, seed, spread=1.5, bias=0.0):
    """Scores, and outcomes drawn by them."""
    rng = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-rng.normal(bias, spread, n_rows)))
    truth = CLASSES.take((rng.random(n_rows) < probability).astype(int))
    return np.stack([1 - probability, probability], axis=1), truth


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "log_loss", "brier", "accuracy"])
def test_the_estimate_is_near_the_truth_for_calibrated_probabilities(metric):
    scores, truth = draw(20_000, 0)
    estimate = estimate_quality(scores, CLASSES, HONEST, metric, 10, 0)
    measured = measure_quality(LabelledScores(truth, scores, CLASSES), metric, 10, 0)
    assert estimate.metric == pytest.approx(measured.metric, abs=4 * measured.error)
    assert estimate.error == pytest.approx(measured.error, rel=0.5)


def test_the_estimate_follows_rows_that_are_harder_to_tell():
    easy, hard = draw(20_000, 0, spread=2.0)[0], draw(20_000, 0, spread=0.5)[0]
    found = [estimate_quality(scores, CLASSES, HONEST, "roc_auc", 10, 0).metric for scores in (easy, hard)]
    assert found[0] > found[1] + 0.1


def test_probabilities_that_are_wrong_are_calibrated_first():
    honest, truth = draw(20_000, 1)
    squared = honest[:, 1] ** 2
    scores = np.stack([1 - squared, squared], axis=1)
    line = np.linspace(0, 1, 500)
    known = [
        Calibration(probability=line.tolist(), frequency=(1 - np.sqrt(1 - line)).tolist()),
        Calibration(probability=line.tolist(), frequency=np.sqrt(line).tolist()),
    ]
    assert calibrate(scores, known)[:, 1] == pytest.approx(honest[:, 1], abs=0.02)
    measured = measure_quality(LabelledScores(truth, scores, CLASSES), "brier", 10, 0)
    assert estimate_quality(scores, CLASSES, known, "brier", 10, 0).metric == pytest.approx(
        measured.metric, abs=4 * measured.error
    )


def test_the_standard_error_is_how_much_the_metric_varies():
    each = [
        measure_quality(LabelledScores(*draw(8000, seed)[::-1], CLASSES), "roc_auc", 10, seed) for seed in range(40)
    ]
    varies = np.std([one.metric for one in each])
    assert np.mean([one.error for one in each]) == pytest.approx(varies, rel=0.35)
    scores, truth = draw(8000, 0)
    assert each[0].metric == pytest.approx(sk.roc_auc_score(truth == "1", scores[:, 1]))


def test_three_classes_and_a_regression_are_measured():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], 5000)
    classes = np.array(["a", "b", "c"], dtype=object)
    truth = classes.take((rng.random(5000)[:, None] > scores.cumsum(axis=1)[:, :-1]).sum(axis=1))
    lines = [Calibration(probability=[0, 1], frequency=[0, 1])] * 3
    measured = measure_quality(LabelledScores(truth, scores, classes), "log_loss", 10, 0)
    assert estimate_quality(scores, classes, lines, "log_loss", 10, 0).metric == pytest.approx(
        measured.metric, abs=4 * measured.error
    )
    predicted = rng.normal(size=1000)
    found = measure_quality(LabelledScores(predicted + 2, predicted, None), "mae", 10, 0)
    assert found.metric == pytest.approx(2)


def test_rows_without_a_metric_give_none():
    scores, _ = draw(50, 0)
    one_class = LabelledScores(np.full(50, "1", dtype=object), scores, CLASSES)
    assert measure_quality(one_class, "roc_auc", 10, 0) is None
    assert measure_quality(one_class.select(np.arange(1)), "accuracy", 10, 0) is None
    assert estimate_quality(scores[:1], CLASSES, HONEST, "roc_auc", 10, 0) is None


def test_an_error_that_grows_and_a_score_that_falls_are_worse():
    assert worsening("log_loss", 0.4, 0.5) == pytest.approx(0.1)
    assert worsening("roc_auc", 0.7, 0.6) == pytest.approx(0.1)
