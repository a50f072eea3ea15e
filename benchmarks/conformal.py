"""The coverage of the guard's prediction sets and intervals on exchangeable rows, over many random splits.

For each table and estimator: fit once, then split the other rows at random into calibration and test rows, calibrate
the guard, and count the test rows whose true value is in their prediction set or interval.

Usage: python benchmarks/conformal.py [SPLITS]
"""
# ruff: noqa: T201

import sys
from collections.abc import Iterator

import numpy as np
from kedro_tabular.modelling import Guard, possible_classes, score
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification, make_friedman1
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge

ALPHAS = (0.05, 0.1, 0.2)
TRAINING, CALIBRATION, TEST = 2000, 1000, 2000  # rows
CLASSIFIERS = (
    LogisticRegression(max_iter=1000),
    RandomForestClassifier(min_samples_leaf=3, random_state=0),  # single rows as leaves give few distinct probabilities
    HistGradientBoostingClassifier(random_state=0),
)
REGRESSORS = (
    Ridge(),
    RandomForestRegressor(min_samples_leaf=3, random_state=0),
    HistGradientBoostingRegressor(random_state=0),
)

Table = tuple[str, np.ndarray, np.ndarray, tuple[BaseEstimator, ...]]


def make_tables(n_rows: int) -> Iterator[Table]:
    """Tables with noise: the name, the features (n_rows, n_features), the target (n_rows,) and the estimators."""
    shape = {"n_samples": n_rows, "n_features": 10, "n_informative": 6, "random_state": 0}
    yield "2 classes", *make_classification(**shape, flip_y=0.2), CLASSIFIERS
    yield "2 classes, 5% positive", *make_classification(**shape, flip_y=0.05, weights=[0.97]), CLASSIFIERS
    yield "5 classes", *make_classification(**shape, n_classes=5, flip_y=0.1), CLASSIFIERS
    X, y = make_friedman1(n_rows, random_state=0)
    noise = np.random.default_rng(0).standard_t(3, n_rows)  # heavy tails, and wider where x0 is larger
    yield "regression", X, y + (0.5 + 2 * X[:, 0]) * noise, REGRESSORS


def measure_coverage(
    y_true: np.ndarray, scores: np.ndarray, classes: np.ndarray | None, alpha: float, n_splits: int
) -> np.ndarray:
    """The share of covered test rows in each split, shape (n_splits,)."""
    guard, rng = Guard({"actions": {}, "margin": 0, "distance_quantile": 1, "alpha": alpha}), np.random.default_rng(0)
    coverage = np.empty(n_splits)
    for position in range(n_splits):
        drawn = rng.permutation(len(y_true))
        calibration, test = drawn[:CALIBRATION], drawn[CALIBRATION : CALIBRATION + TEST]
        guard.calibrate(y_true[calibration], scores[calibration], classes)
        if classes is None:
            covered = np.abs(y_true[test] - scores[test, 0]) <= guard.limit
        else:
            is_class = y_true[test, None] == classes
            covered = (is_class & possible_classes(scores[test], guard.limit)).any(axis=1)
        coverage[position] = covered.mean()
    return coverage


def main(n_splits: int) -> None:
    """Print the mean coverage by table, estimator and alpha, and its standard deviation between splits."""
    print(f"{n_splits} splits, {CALIBRATION:,} calibration rows, {TEST:,} test rows; target in brackets, all in %")
    print("| table | estimator | " + " | ".join(f"alpha {alpha:g} ({1 - alpha:.0%})" for alpha in ALPHAS) + " |")
    print("| --- | --- |" + " --- |" * len(ALPHAS))
    worst = 0.0
    for name, X, y, estimators in make_tables(TRAINING + 10_000):
        for estimator in estimators:
            fitted = estimator.fit(X[:TRAINING], y[:TRAINING])
            scores, classes = score(fitted, X[TRAINING:]), getattr(fitted, "classes_", None)
            cells = []
            for alpha in ALPHAS:
                coverage = measure_coverage(y[TRAINING:], scores, classes, alpha, n_splits)
                worst = max(worst, abs(coverage.mean() - (1 - alpha)))
                cells.append(f"{coverage.mean():.2%} ± {coverage.std():.2%}")
            print(f"| {name} | {type(estimator).__name__} | " + " | ".join(cells) + " |", flush=True)
    print(f"largest distance of a mean from its target: {worst:.2%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
