import numpy as np
import pytest

from kedro_tabular.evaluation.metrics import LabelledScores, measure
from kedro_tabular.evaluation.resampling import bootstrap, prepare
from project import metrics


def make_scored(kind: str, seed: int = 0, n_rows: int = 300) -> LabelledScores:
    """Rows with ties among the scores."""
    rng = np.random.default_rng(seed)
    if kind == "number":
        truth = rng.normal(50, 1, n_rows)
        return LabelledScores(truth, truth + rng.normal(0, 0.5, n_rows), None)
    classes = np.array(["a", "b", "c"][: 2 if kind == "binary" else 3], dtype=object)
    truth = rng.integers(0, len(classes), n_rows)
    margins = rng.normal(size=(n_rows, len(classes))) + 1.5 * np.eye(len(classes))[truth]
    scores = (np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)).round(2)
    return LabelledScores(classes[truth], scores, classes)


@pytest.fixture
def own(monkeypatch):
    """Metrics of the user's own."""
    monkeypatch.setitem(metrics.CLASSIFICATION, "hit", lambda t, p, c: (c.take(p.argmax(1)) == t).mean())
    monkeypatch.setitem(metrics.REGRESSION, "worst", lambda truth, predicted: abs(truth - predicted).max())


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("kind", ["binary", "three classes", "two of three classes", "number"])
def test_each_metric_of_a_resample_is_that_of_the_rows_drawn(kind):
    scored = make_scored(kind)
    if kind == "two of three classes":
        scored = scored.select(scored.truth != "b")
    drawn = np.random.default_rng(1).integers(0, len(scored.truth), len(scored.truth))
    counts = np.bincount(drawn, minlength=len(scored.truth)).astype(float)[:, None]
    expected = measure(scored.select(drawn), 10)
    assert ("worst" if kind == "number" else "hit") in expected
    found = {name: prepare(name, scored, 10)(counts)[0] for name in expected}
    assert found == pytest.approx(expected, rel=1e-9)


def test_models_are_measured_on_the_same_drawn_rows():
    scored = make_scored("binary")
    found = bootstrap([scored, scored], ["roc_auc", "brier"], 50, 10, seed=0)
    assert (found["roc_auc"][0] == found["roc_auc"][1]).all()
    assert found["brier"].shape == (2, 50)
    assert found["brier"][0].std() > 0
    again = bootstrap([scored], ["brier"], 50, 10, seed=0)
    assert (again["brier"][0] == found["brier"][0]).all()


def test_the_interval_covers_the_true_value_about_as_often_as_it_says():
    # The accuracy of a coin that falls right 7 times in 10, from 200 throws, 100 times over.
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(100):
        right = rng.random(200) < 0.7
        probability = np.where(right, 0.9, 0.1)
        scored = LabelledScores(
            np.full(200, "b", dtype=object),
            np.column_stack([1 - probability, probability]),
            np.array(["a", "b"], dtype=object),
        )
        low, high = np.quantile(bootstrap([scored], ["accuracy"], 150, 10, seed)["accuracy"], [0.025, 0.975])
        covered += low <= 0.7 <= high
    assert 0.90 <= covered / 100 <= 0.99


def test_a_resample_of_a_single_class_has_no_area_under_the_curve():
    scored = make_scored("binary", n_rows=10)
    one_class = (scored.truth == "a").astype(float)[:, None]
    assert np.isnan(prepare("roc_auc", scored, 10)(one_class)[0])
