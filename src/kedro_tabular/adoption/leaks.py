"""How much each column says of the target by itself: too much, and it was not known before the event."""

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

_ROWS = 5000
_FOLDS = 3
_DEPTH = 6
SUSPECT = {"classification": 0.99, "regression": 0.95}
MEASURE = {"classification": "ROC AUC", "regression": "R2"}


def measure_alone(columns: dict[str, pd.Series], target: pd.Series, task: str) -> dict[str, float]:
    """The score of a small tree on each column alone, on rows that it was not fitted on.

    Args:
        columns: by name, each of shape (n_rows,), numbers, text or datetime64.
        target: of the same rows.
        task: classification, measured by ROC AUC (of several classes the mean of each against the rest),
            or regression, measured by R2.
    """
    rows = target.sample(min(_ROWS, len(target)), random_state=0).index
    if task == "classification":
        rows = rows.intersection(target.index[target.map(target[rows].value_counts()) >= _FOLDS])
    y = target.loc[rows]
    return {name: _score(values.loc[rows], y, task) for name, values in columns.items()}


def _score(values: pd.Series, y: pd.Series, task: str) -> float:
    is_class = task == "classification"
    tree = (DecisionTreeClassifier if is_class else DecisionTreeRegressor)(max_depth=_DEPTH, random_state=0)
    folds = (StratifiedKFold if is_class else KFold)(_FOLDS, shuffle=True, random_state=0)
    model, X = tree, _as_matrix(values)
    if X.dtype == object:  # text
        kind = ("multiclass" if y.nunique() > 2 else "binary") if is_class else "continuous"
        model = make_pipeline(TargetEncoder(target_type=kind, cv=folds), tree)
    truth = y.to_numpy() if is_class else y.to_numpy(dtype=float)
    if not is_class:
        return float(r2_score(truth, cross_val_predict(model, X, truth, cv=folds)))
    probabilities = cross_val_predict(model, X, truth, cv=folds, method="predict_proba")
    each = [roc_auc_score(truth == label, probabilities[:, n]) for n, label in enumerate(np.unique(truth))]
    return float(np.mean(each))


def _as_matrix(values: pd.Series) -> np.ndarray:
    """Shape (n_rows, 1): text as objects, all else as numbers."""
    if values.dtype == "str":
        return values.astype(object).where(values.notna(), "").to_numpy(dtype=object)[:, None]
    if values.dtype.kind == "M":
        numbers = values.astype("int64").astype(float)
        return numbers.where(values.notna()).to_numpy()[:, None]
    return values.to_numpy(dtype=float)[:, None]
