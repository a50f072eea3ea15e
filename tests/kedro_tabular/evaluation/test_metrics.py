import xml.etree.ElementTree as ET

import numpy as np
import pytest
from kedro_tabular.evaluation.metrics import classification_metrics, expected_calibration_error, regression_metrics
from kedro_tabular.evaluation.plots import classification_plots, regression_plots
from sklearn import metrics as sk

from project.pipelines.evaluation.nodes import plot_importance

from ...conftest import fit_packaged, make_contract, make_table


@pytest.fixture
def scored():
    """True classes, probabilities and classes of 500 rows, for the given number of classes."""

    def make(n_classes):
        rng = np.random.default_rng(0)
        classes = np.array(list("abcdef")[:n_classes], dtype=object)
        probabilities = rng.dirichlet(np.ones(n_classes), 500)
        y_true = np.array([rng.choice(classes, p=p) for p in probabilities], dtype=object)
        return y_true, probabilities, classes

    return make


def test_metrics_of_two_classes_are_scikit_learns(scored):
    y_true, probabilities, classes = scored(2)
    metrics = classification_metrics(y_true, probabilities, classes, n_bins=10)
    positive = y_true == "b"
    assert metrics["roc_auc"] == sk.roc_auc_score(positive, probabilities[:, 1])
    assert metrics["average_precision"] == sk.average_precision_score(positive, probabilities[:, 1])
    assert metrics["log_loss"] == pytest.approx(sk.log_loss(y_true, probabilities), rel=1e-12)
    assert metrics["brier"] == pytest.approx(sk.brier_score_loss(positive, probabilities[:, 1]), rel=1e-12)


def test_metrics_of_several_classes_are_scikit_learns(scored):
    y_true, probabilities, classes = scored(4)
    metrics = classification_metrics(y_true, probabilities, classes, n_bins=10)
    assert metrics["roc_auc"] == pytest.approx(sk.roc_auc_score(y_true, probabilities, multi_class="ovr"))
    assert metrics["log_loss"] == pytest.approx(sk.log_loss(y_true, probabilities))
    assert metrics["accuracy"] == sk.accuracy_score(y_true, classes[probabilities.argmax(axis=1)])


def test_a_class_without_test_rows_does_not_count(scored):
    y_true, probabilities, classes = scored(4)
    present = y_true != "b"
    metrics = classification_metrics(y_true[present], probabilities[present], classes, n_bins=10)
    for name, score in (("roc_auc", sk.roc_auc_score), ("average_precision", sk.average_precision_score)):
        each = [score(y_true[present] == classes[k], probabilities[present, k]) for k in (0, 2, 3)]
        assert metrics[name] == pytest.approx(np.mean(each))


def test_a_class_without_training_rows_is_named(scored):
    y_true, probabilities, classes = scored(2)
    y_true[3] = "z"
    with pytest.raises(ValueError, match=r"the training rows do not: \['z'\]"):
        classification_metrics(y_true, probabilities, classes, n_bins=10)


def test_calibration_error_is_the_weighted_distance_of_each_bin():
    probability = np.array([0.2, 0.2, 0.2, 0.2, 0.9, 1.0])
    hit = np.array([True, False, False, False, True, True])
    probabilities = np.column_stack([1 - probability, probability])
    # first bin: probability 0.2, frequency 0.25, 4 rows; last bin: probability 0.95, frequency 1, 2 rows
    expected = (4 * 0.05 + 2 * 0.05) / 6
    assert expected_calibration_error(np.column_stack([~hit, hit]), probabilities, 10) == pytest.approx(expected)


def test_regression_metrics_by_hand():
    metrics = regression_metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0]))
    assert metrics == pytest.approx({"mae": 1.0, "rmse": 3**0.5, "r2": -3.5})


@pytest.mark.parametrize("n_classes", [2, 5])
def test_classification_plots_are_reproducible(scored, n_classes):
    plots = classification_plots(*scored(n_classes), n_bins=10)
    assert set(plots) == {"roc_curve", "precision_recall_curve", "calibration_curve", "confusion_matrix"}
    assert all(ET.fromstring(svg).tag.endswith("svg") for svg in plots.values())
    assert plots == classification_plots(*scored(n_classes), n_bins=10)


def test_regression_plots_are_drawn():
    y_true = np.linspace(0, 1, 100)
    plots = regression_plots(y_true, y_true**2)
    assert set(plots) == {"predicted_and_true", "residuals", "residual_distribution"}


def test_importance_is_computed_on_rows_that_lack_a_class():
    model, table = fit_packaged("text"), make_table(300, "text", seed=1)
    settings = {"calibration_bins": 10, "importance_rows": 100, "importance_repeats": 1, "alphas": [0.1]}
    rows = table[table["answer"] != "high"]
    plot = plot_importance(rows, model.preprocessor, model.estimator, make_contract(), settings, seed=0)
    assert "colour" in plot


@pytest.mark.filterwarnings("error")
def test_a_class_without_test_rows_has_no_curve(scored):
    y_true, probabilities, classes = scored(3)
    present = y_true != "b"
    plots = classification_plots(y_true[present], probabilities[present], classes, n_bins=10)
    labels = [text for text in plots["roc_curve"].split("<!-- ") if ": AUC" in text]
    assert [text[0] for text in labels] == ["a", "c"]
