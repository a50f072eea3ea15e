import numpy as np
import pytest
from kedro_tabular.evaluation.metrics import LabelledScores, compute_metrics
from kedro_tabular.evaluation.resampling import bootstrap, make_statistic

from project import metrics


def make_scored(kind: str, seed: int = 0, n_rows: int = 300) -> LabelledScores:
    """Rows with ties among the scores."""
    rng = np.random.default_rng(seed)
    if kind == "number":
        y_true = rng.normal(50, 1, n_rows)
        return LabelledScores(y_true, y_true + rng.normal(0, 0.5, n_rows), None)
    classes = np.array(["a", "b", "c"][: 2 if kind == "binary" else 3], dtype=object)
    y_true = rng.integers(0, len(classes), n_rows)
    margins = rng.normal(size=(n_rows, len(classes))) + 1.5 * np.eye(len(classes))[y_true]
    scores = (np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)).round(2)
    return LabelledScores(classes[y_true], scores, classes)


@pytest.fixture
def custom(monkeypatch):
    """Metrics of the project."""
    monkeypatch.setitem(metrics.CLASSIFICATION, "hit", lambda y_true, p, c: (c.take(p.argmax(1)) == y_true).mean())
    monkeypatch.setitem(metrics.REGRESSION, "worst", lambda y_true, predicted: abs(y_true - predicted).max())


@pytest.mark.usefixtures("custom")
@pytest.mark.parametrize("kind", ["binary", "three classes", "two of three classes", "number"])
def test_each_metric_of_a_resample_is_that_of_the_drawn_rows(kind):
    scored = make_scored(kind)
    if kind == "two of three classes":
        scored = scored.select(scored.y_true != "b")
    drawn = np.random.default_rng(1).integers(0, len(scored.y_true), len(scored.y_true))
    counts = np.bincount(drawn, minlength=len(scored.y_true)).astype(float)[:, None]
    expected = compute_metrics(scored.select(drawn), 10)
    assert ("worst" if kind == "number" else "hit") in expected
    values = {name: make_statistic(name, scored, 10)(counts)[0] for name in expected}
    assert values == pytest.approx(expected, rel=1e-9)


def test_models_are_evaluated_on_the_same_resamples():
    scored = make_scored("binary")
    values = bootstrap([scored, scored], ["roc_auc", "brier"], 50, 10, seed=0)
    assert (values["roc_auc"][0] == values["roc_auc"][1]).all()
    assert values["brier"].shape == (2, 50)
    assert values["brier"][0].std() > 0
    again = bootstrap([scored], ["brier"], 50, 10, seed=0)
    assert (again["brier"][0] == values["brier"][0]).all()


def test_the_empirical_coverage_of_the_interval_is_near_its_confidence():
    # 100 samples of 200 predictions, each correct with probability 0.7.
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(100):
        correct = rng.random(200) < 0.7
        probability = np.where(correct, 0.9, 0.1)
        scored = LabelledScores(
            np.full(200, "b", dtype=object),
            np.column_stack([1 - probability, probability]),
            np.array(["a", "b"], dtype=object),
        )
        low, high = np.quantile(bootstrap([scored], ["accuracy"], 150, 10, seed)["accuracy"], [0.025, 0.975])
        covered += low <= 0.7 <= high
    assert 0.90 <= covered / 100 <= 0.99


def test_a_resample_of_a_single_class_has_no_roc_auc():
    scored = make_scored("binary", n_rows=10)
    one_class = (scored.y_true == "a").astype(float)[:, None]
    assert np.isnan(make_statistic("roc_auc", scored, 10)(one_class)[0])
