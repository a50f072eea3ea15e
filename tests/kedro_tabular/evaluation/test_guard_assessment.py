import xml.etree.ElementTree as ET

import numpy as np
import pytest
from sklearn import metrics as sk

from kedro_tabular.evaluation.metrics import classification_metrics, expected_calibration_error, regression_metrics
from kedro_tabular.evaluation.plots import classification_plots, regression_plots
from project.pipelines.evaluation.nodes import plot_importance

from ...conftest import fit_packaged, make_contract, make_table


@pytest.fixture
def scored():
    """Truth, probabilities and classes of 500 rows, for the given number of classes."""

    def make(n_classes):
        rng = np.random.default_rng(0)
        classes = np.array(list("abcdef")[:n_classes], dtype=object)
        probabilities = rng.dirichlet(np.ones(n_classes), 500)
        truth = np.array([rng.choice(classes, p=p) for p in probabilities], dtype=object)
        return truth, probabilities, classes

    return make


def test_metrics_of_two_classes_are_scikit_learns(scored):
    truth, probabilities, classes = scored(2)
    measured = classification_metrics(truth, probabilities, classes, n_bins=10)
    positive = truth == "b"
    assert measured["roc_auc"] == sk.roc_auc_score(positive, probabilities[:, 1])
    assert measured["average_precision"] == sk.average_precision_score(positive, probabilities[:, 1])
    assert measured["log_loss"] == pytest.approx(sk.log_loss(truth, probabilities), rel=1e-12)
    assert measured["brier"] == pytest.approx(sk.brier_score_loss(positive, probabilities[:, 1]), rel=1e-12)


def test_metrics_of_several_classes_are_scikit_learns(scored):
    truth, probabilities, classes = scored(4)
    measured = classification_metrics(truth, probabilities, classes, n_bins=10)
    assert measured["roc_auc"] == pytest.approx(sk.roc_auc_score(truth, probabilities, multi_class="ovr"))
    assert measured["log_loss"] == pytest.approx(sk.log_loss(truth, probabilities))
    assert measured["accuracy"] == sk.accuracy_score(truth, classes[probabilities.argmax(axis=1)])


def test_a_class_that_the_test_rows_lack_does_not_count(scored):
    truth, probabilities, classes = scored(4)
    there = truth != "b"
    measured = classification_metrics(truth[there], probabilities[there], classes, n_bins=10)
    for name, score in (("roc_auc", sk.roc_auc_score), ("average_precision", sk.average_precision_score)):
        each = [score(truth[there] == classes[k], probabilities[there, k]) for k in (0, 2, 3)]
        assert measured[name] == pytest.approx(np.mean(each))


def test_a_class_that_training_has_not_seen_is_named(scored):
    truth, probabilities, classes = scored(2)
    truth[3] = "z"
    with pytest.raises(ValueError, match=r"the training rows do not: \['z'\]"):
        classification_metrics(truth, probabilities, classes, n_bins=10)


def test_calibration_error_is_the_weighted_distance_of_each_bin():
    probability = np.array([0.2, 0.2, 0.2, 0.2, 0.9, 1.0])
    hit = np.array([True, False, False, False, True, True])
    both = np.column_stack([1 - probability, probability])
    # first bin: 0.2 said, 0.25 seen, 4 rows; last: 0.95 said, 1 seen, 2 rows
    expected = (4 * 0.05 + 2 * 0.05) / 6
    assert expected_calibration_error(np.column_stack([~hit, hit]), both, 10) == pytest.approx(expected)


def test_regression_metrics_by_hand():
    measured = regression_metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0]))
    assert measured == pytest.approx({"mae": 1.0, "rmse": 3**0.5, "r2": -3.5})


@pytest.mark.parametrize("n_classes", [2, 5])
def test_classification_plots_are_drawn_alike_each_time(scored, n_classes):
    plots = classification_plots(*scored(n_classes), n_bins=10)
    assert set(plots) == {"roc_curve", "precision_recall_curve", "calibration_curve", "confusion_matrix"}
    assert all(ET.fromstring(svg).tag.endswith("svg") for svg in plots.values())
    assert plots == classification_plots(*scored(n_classes), n_bins=10)


def test_regression_plots_are_drawn():
    truth = np.linspace(0, 1, 100)
    plots = regression_plots(truth, truth**2)
    assert set(plots) == {"predicted_and_true", "residuals", "residual_distribution"}


def test_importance_is_measured_on_rows_that_lack_a_class():
    model, table = fit_packaged("text"), make_table(300, "text", seed=1)
    settings = {"calibration_bins": 10, "importance_rows": 100, "importance_repeats": 1, "alphas": [0.1]}
    rows = table[table["answer"] != "high"]
    plot = plot_importance(rows, model.preprocessor, model.estimator, make_contract(), settings, seed=0)
    assert "colour" in plot


@pytest.mark.filterwarnings("error")
def test_a_class_that_the_test_rows_lack_has_no_curve(scored):
    truth, probabilities, classes = scored(3)
    there = truth != "b"
    plots = classification_plots(truth[there], probabilities[there], classes, n_bins=10)
    labels = [text for text in plots["roc_curve"].split("<!-- ") if ": area" in text]
    assert [text[0] for text in labels] == ["a", "c"]
