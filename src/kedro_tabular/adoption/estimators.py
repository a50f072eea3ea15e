"""Choose the estimator: the simplest whose cross-validated error is within a standard error of the best."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from sklearn.utils.parallel import Parallel, delayed

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

_FOLDS, _FEW_FOLDS = 5, 3
_MANY_ROWS = 5000  # with more, few folds are enough: each still trains on most of them
_MAX_ROWS = 10_000  # of the cross-validation
_SEED = 0
_CLEARLY = 3  # standard errors
_TREES = 600  # of a boosting with a tree per class in each iteration
_MIN_LEAF, _LEAVES = 3, 2000  # of the forest: the size of the model does not grow with the rows


Fold = tuple[np.ndarray, np.ndarray]  # the positions of training and test rows


class Candidate(NamedTuple):
    """A section of conf/, with the losses of the rows it was tested on, (n_rows,): log losses or squared errors."""

    name: str
    parameters: dict[str, Any]
    losses: np.ndarray


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
    rows = _sample(train_table, contract)
    folds = _split(rows, contract, group)
    losses = _cross_validate(rows, folds, contract, [(features, section) for section in sections.values()])
    candidates = [Candidate(*of_kind, found) for of_kind, found in zip(sections.items(), losses, strict=True)]
    best = min(candidates, key=lambda candidate: candidate.losses.mean())
    chosen = _simplest(candidates, best)
    error = "log loss" if contract.task == "classification" else "RMSE"
    errors = {c.name: c.losses.mean() if error == "log loss" else np.sqrt(c.losses.mean()) for c in candidates}
    scores = ", ".join(f"{kind} {value:.4g}" for kind, value in errors.items())
    reason = "the best" if chosen is best else f"the simplest within a standard error of {best.name}"
    note = f"{error} in {len(folds)}-fold cross-validation on {len(rows):,} training rows: {scores}. {chosen.name}"
    return EstimatorChoice(chosen.parameters, f"{note} is {reason}; for another one: --estimator")


def choose_days(train_table: pd.DataFrame, contract: Contract, features: dict[str, Any]) -> dict[str, Any]:
    """`params:features` of a split by time, with the days since 1970 if they lower the error on later rows.

    Trees then go on with the level of the last days. Where levels recur, as with seasons, that makes them worse.
    """
    with_days = features | {"datetime_parts": [*features["datetime_parts"], "days"]}
    rows = _sample(train_table, contract)
    folds = _split(rows, contract, [])
    section = _sections(contract, len(train_table), train_table[contract.target].nunique())["boosting of tiny trees"]
    losses = _cross_validate(rows, folds, contract, [(features, section), (with_days, section)])
    candidates = [Candidate("recurring parts", features, losses[0]), Candidate("days", with_days, losses[1])]
    return _simplest(candidates, min(candidates, key=lambda candidate: candidate.losses.mean())).parameters


def _sample(train_table: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The rows to compare on: in the order of time, if the split is."""
    rows = train_table
    if len(rows) > _MAX_ROWS:
        rows = rows.sample(_MAX_ROWS, random_state=_SEED).sort_index()
    if contract.time:
        rows = rows.sort_values(contract.time, kind="stable")
    return rows.reset_index(drop=True)


def _sections(contract: Contract, n_rows: int, n_classes: int) -> dict[str, dict[str, Any]]:
    """The candidates from the simplest to the most complex."""
    is_classification = contract.task == "classification"
    kind = "Classifier" if is_classification else "Regressor"
    linear = {"class": "sklearn.linear_model.Ridge", "kwargs": {}}
    if is_classification:
        linear = {"class": "sklearn.linear_model.LogisticRegression", "kwargs": {"max_iter": 1000}}
    forest = {"n_estimators": 100, "min_samples_leaf": max(_MIN_LEAF, n_rows // _LEAVES)}
    iterations = max(20, min(200, _TREES // (n_classes if is_classification else 1)))
    slow = {"max_iter": iterations, "learning_rate": 0.05, "early_stopping": False}
    fast = {"max_iter": max(20, iterations // 2), "learning_rate": 0.1, "early_stopping": False}
    boosted = f"sklearn.ensemble.HistGradientBoosting{kind}"
    return {
        "linear": linear,
        "boosting of tiny trees": {"class": boosted, "kwargs": slow | {"max_leaf_nodes": 3}},
        "boosting of small trees": {"class": boosted, "kwargs": slow | {"max_leaf_nodes": 8}},
        "boosting": {"class": boosted, "kwargs": fast},
        "forest": {"class": f"sklearn.ensemble.RandomForest{kind}", "kwargs": forest},
    }


def _split(rows: pd.DataFrame, contract: Contract, group: list[str]) -> list[Fold]:
    """The positions of the training and the test rows of each fold; with a time the training rows are the earlier."""
    n_folds = _FOLDS if len(rows) <= _MANY_ROWS else _FEW_FOLDS
    if contract.time:
        folds = [*TimeSeriesSplit(n_folds).split(rows)]
        if contract.task == "regression":
            return folds
        target = rows[contract.target]
        complete = [fold for fold in folds if target.iloc[fold[0]].nunique() == target.nunique()]
        return complete or [*KFold(n_folds).split(rows)]
    if group:
        return [*GroupKFold(n_folds).split(rows, groups=hash_groups(rows, contract, group))]
    if contract.task == "regression":
        return [*KFold(n_folds, shuffle=True, random_state=_SEED).split(rows)]
    return [*StratifiedKFold(n_folds, shuffle=True, random_state=_SEED).split(rows, rows[contract.target])]


def _cross_validate(
    rows: pd.DataFrame, folds: list[Fold], contract: Contract, choices: list[tuple[dict[str, Any], dict[str, Any]]]
) -> list[np.ndarray]:
    """For each choice of features and estimator, the losses of the test rows of all folds, (n_rows,).

    Several fits at once use the cores better than the threads of one small fit.
    """
    losses = Parallel(n_jobs=-1, prefer="threads")(
        delayed(_losses)(rows, fold, contract, *choice) for choice in choices for fold in folds
    )
    return [np.concatenate(losses[start : start + len(folds)]) for start in range(0, len(losses), len(folds))]


def _losses(
    rows: pd.DataFrame, fold: Fold, contract: Contract, features: dict[str, Any], section: dict[str, Any]
) -> np.ndarray:
    """The losses of the test rows of a fold, by the estimator that is fitted on its training rows."""
    train, test = fold
    known, new = rows.iloc[train], rows.iloc[test]
    settings = FeatureSettings.read("features", features)
    preprocessor = build_preprocessor(contract, settings, section["class"], ModuleType("features"), known, _SEED)
    train_features = fit_features(preprocessor, contract.select(known), known[contract.target])
    estimator = with_input_steps(build_estimator(section, "estimator", contract, _SEED))
    fitted = fit_on_features(estimator, train_features, known[contract.target])
    scores = score(fitted, preprocessor.transform(contract.select(new)))
    target = new[contract.target].to_numpy()
    if contract.task == "regression":
        return np.asarray((target - scores[:, 0]) ** 2)
    # a class that is not in the other folds has the probability 0
    of_its_class = (scores * (fitted.classes_ == target[:, None])).sum(axis=1)
    return np.asarray(-np.log(of_its_class.clip(np.finfo(float).eps)))


def _simplest(candidates: list[Candidate], best: Candidate) -> Candidate:
    """The first whose mean loss exceeds that of the best by at most the standard error of the difference.

    The rule of one standard error: Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3; here of
    the differences by row, because the rows are the same. Where a few rows make most of the error, that of the mean is
    too large to tell anything: then the best must not be better on clearly more than half of the rows either.
    """
    for candidate in candidates:
        differences = candidate.losses - best.losses
        wins = np.sign(differences)
        if _excess(differences) <= 1 and _excess(wins) <= _CLEARLY:
            return candidate
    return best


def _excess(values: np.ndarray) -> float:
    """The mean in standard errors; 0 if all values are 0."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() / error) if error > 0 else float(np.sign(values.mean()) * np.inf if values.any() else 0)
