"""Choose the estimator: the simplest whose cross-validated score is within a standard error of the best."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from ..contract import Contract
from ..evaluation import hash_groups
from ..modelling import (
    FeatureSettings,
    build_estimator,
    build_preprocessor,
    fit_features,
    fit_on_features,
    score,
    with_input_steps,
)

_FOLDS = 5
_MAX_ROWS = 10_000  # of the cross-validation
_SEED = 0
_TREES = 600  # of a boosting with a tree per class in each iteration
_MIN_LEAF, _LEAVES = 3, 2000  # of the forest: the size of the model does not grow with the rows


class Candidate(NamedTuple):
    """An estimator as a section of conf/, with the errors of the folds, (n_folds,): log losses or RMSEs."""

    name: str
    parameters: dict[str, Any]
    errors: np.ndarray


class EstimatorChoice(NamedTuple):
    """The section `estimator` of conf/, and what it was chosen by."""

    parameters: dict[str, Any]
    note: str


def choose_estimator(
    train_table: pd.DataFrame, contract: Contract, features: dict[str, Any], group: list[str], name: str | None
) -> EstimatorChoice:
    """Compare a linear model, a forest and boosted trees by cross-validation on the training rows.

    Args:
        train_table: of which a sample is used.
        features: `params:features`.
        group: columns whose rows of equal values stay in one fold.
        name: linear, forest or boosting, to choose it without a comparison.
    """
    sections = _sections(contract, len(train_table), train_table[contract.target].nunique())
    if name is not None:
        return EstimatorChoice(sections[name], f"{name}, as --estimator says")
    rows = train_table
    if len(rows) > _MAX_ROWS:
        rows = rows.sample(_MAX_ROWS, random_state=_SEED).sort_index()
    if contract.time:
        rows = rows.sort_values(contract.time, kind="stable")
    rows = rows.reset_index(drop=True)
    folds = list(_split(rows, contract, group))
    candidates = [
        Candidate(kind, section, np.array([_error(rows, *fold, contract, features, section) for fold in folds]))
        for kind, section in sections.items()
    ]
    best = min(candidates, key=lambda candidate: candidate.errors.mean())
    chosen = _simplest(candidates, best)
    error = "log loss" if contract.task == "classification" else "RMSE"
    scores = ", ".join(f"{candidate.name} {candidate.errors.mean():.4g}" for candidate in candidates)
    reason = "the best" if chosen is best else f"the simplest within a standard error of {best.name}"
    note = f"{error} in {len(folds)}-fold cross-validation on {len(rows):,} training rows: {scores}. {chosen.name}"
    return EstimatorChoice(chosen.parameters, f"{note} is {reason}; for another one: --estimator")


def _sections(contract: Contract, n_rows: int, n_classes: int) -> dict[str, dict[str, Any]]:
    """The candidates from the simplest to the most complex."""
    is_classification = contract.task == "classification"
    kind = "Classifier" if is_classification else "Regressor"
    linear = {"class": "sklearn.linear_model.Ridge", "kwargs": {}}
    if is_classification:
        linear = {"class": "sklearn.linear_model.LogisticRegression", "kwargs": {"max_iter": 1000}}
    forest = {"n_estimators": 100, "min_samples_leaf": max(_MIN_LEAF, n_rows // _LEAVES)}
    iterations = max(20, min(200, _TREES // (n_classes if is_classification else 1)))
    boosting = {"max_iter": iterations, "learning_rate": 0.05, "early_stopping": False}
    fast = boosting | {"max_iter": max(20, iterations // 2), "learning_rate": 0.1}
    small = boosting | {"max_leaf_nodes": 8}
    boosted = f"sklearn.ensemble.HistGradientBoosting{kind}"
    return {
        "linear": linear,
        "forest": {"class": f"sklearn.ensemble.RandomForest{kind}", "kwargs": forest},
        "boosting of small trees": {"class": boosted, "kwargs": small},
        "boosting": {"class": boosted, "kwargs": boosting},
        "fast boosting": {"class": boosted, "kwargs": fast},
    }


def _split(rows: pd.DataFrame, contract: Contract, group: list[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The positions of the training and the test rows of each fold; with a time each fold is a period."""
    if contract.time:
        return KFold(_FOLDS).split(rows)
    if group:
        return GroupKFold(_FOLDS).split(rows, groups=hash_groups(rows, contract, group))
    if contract.task == "regression":
        return KFold(_FOLDS, shuffle=True, random_state=_SEED).split(rows)
    return StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED).split(rows, rows[contract.target])


def _error(
    rows: pd.DataFrame,
    train: np.ndarray,
    test: np.ndarray,
    contract: Contract,
    features: dict[str, Any],
    section: dict[str, Any],
) -> float:
    known, new = rows.iloc[train], rows.iloc[test]
    settings = FeatureSettings.read("features", features)
    preprocessor = build_preprocessor(contract, settings, section["class"], ModuleType("features"), known, _SEED)
    train_features = fit_features(preprocessor, contract.select(known), known[contract.target])
    estimator = with_input_steps(build_estimator(section, "estimator", contract, _SEED))
    fitted = fit_on_features(estimator, train_features, known[contract.target])
    scores = score(fitted, preprocessor.transform(contract.select(new)))
    if contract.task == "regression":
        return float(root_mean_squared_error(new[contract.target], scores[:, 0]))
    labels = sorted(rows[contract.target].unique())
    probabilities = pd.DataFrame(scores, columns=fitted.classes_).reindex(columns=labels, fill_value=0).to_numpy()
    epsilon = np.finfo(float).eps
    return float(log_loss(new[contract.target], np.clip(probabilities, epsilon, 1), labels=labels))


def _simplest(candidates: list[Candidate], best: Candidate) -> Candidate:
    """The first whose mean error exceeds that of the best by at most the standard error of the difference.

    The rule of one standard error: Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3; here of
    the differences by fold, because the folds are the same.
    """
    for candidate in candidates:
        differences = candidate.errors - best.errors
        if differences.mean() <= differences.std(ddof=1) / np.sqrt(len(differences)):
            return candidate
    return best
