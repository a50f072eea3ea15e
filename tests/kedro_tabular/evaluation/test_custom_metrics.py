"""Metrics of the project: they get weights as those of scikit-learn do; one without them gets repeated rows."""

import numpy as np
import pytest
from kedro_tabular.evaluation.custom_metrics import compute_custom_metric
from kedro_tabular.evaluation.labelled_scores import LabelledScores
from kedro_tabular.evaluation.metrics import compute_metrics
from kedro_tabular.evaluation.resampling import bootstrap, make_statistic
from kedro_tabular.parameters import ParameterError
from sklearn import metrics as sk

from project import metrics

CLASSES = np.array(["no", "yes"], dtype=object)


def hits(y_true, probabilities, classes, sample_weight=None):
    return sk.accuracy_score(y_true, classes.take(probabilities.argmax(axis=1)), sample_weight=sample_weight)


def old_hits(y_true, probabilities, classes):
    return (classes.take(probabilities.argmax(axis=1)) == y_true).mean()


def any_hits(*arguments, **options):
    return hits(*arguments, **options)


def error(y_true, predicted, sample_weight=None):
    return sk.median_absolute_error(y_true, predicted, sample_weight=sample_weight)


@pytest.fixture(autouse=True)
def custom(monkeypatch):
    for metric in (hits, old_hits, any_hits):
        monkeypatch.setitem(metrics.CLASSIFICATION, metric.__name__, metric)
    monkeypatch.setitem(metrics.REGRESSION, "error", error)


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    probability = rng.random(200)
    y_true = CLASSES.take((rng.random(200) < probability).astype(int))
    return LabelledScores(y_true, np.stack([1 - probability, probability], axis=1), CLASSES)


@pytest.mark.parametrize("name", ["hits", "old_hits", "any_hits"])
def test_whole_weights_are_the_rows_repeated(scored, name):
    rows = np.random.default_rng(1).integers(0, 200, 200)
    weights = np.bincount(rows, minlength=200).astype(float)
    expected = compute_metrics(scored.select(rows), 10)[name]
    assert compute_custom_metric(name, scored, weights) == pytest.approx(expected)
    assert make_statistic(name, scored, 10)(weights[:, None]).tolist() == pytest.approx([expected])


@pytest.mark.parametrize("name", ["hits", "any_hits"])
def test_fractional_weights_reach_the_metric_unchanged(scored, name):
    weights = np.random.default_rng(1).random(200)
    weights[:20] = 0
    correct = scored.predicted == scored.y_true
    assert compute_custom_metric(name, scored, weights) == pytest.approx(weights[correct].sum() / weights.sum())


def test_a_metric_without_weights_is_told_what_it_needs(scored):
    with pytest.raises(ParameterError, match=r"the metric old_hits in metrics\.py needs the parameter sample_weight"):
        compute_custom_metric("old_hits", scored, np.full(200, 0.5))


def test_the_bootstrap_of_both_forms_is_the_same(scored):
    values = bootstrap([scored], ["hits", "old_hits", "accuracy"], 30, 10, seed=0)
    np.testing.assert_allclose(values["hits"], values["old_hits"])
    np.testing.assert_allclose(values["hits"], values["accuracy"])


def test_a_metric_of_a_regression_gets_weights_too():
    y_true, predicted = np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 9])
    scored = LabelledScores(y_true, predicted, None)
    assert compute_custom_metric("error", scored) == 0
    assert compute_custom_metric("error", scored, np.array([0.1, 0.1, 0.1, 0.7])) == 5
