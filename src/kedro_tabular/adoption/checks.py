"""What a person should check: leaks of the target, duplicate rows and columns, spellings, numbers out of range."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ..contract import Contract, row_columns
from .names import find_duplicate_columns

_MAX_ROWS = 5000
_FOLDS = 3
_DEPTH = 6
_MAX_LISTED = 3  # spellings of a category
_LEAKAGE = {"classification": ("ROC AUC", 0.99), "regression": ("R2", 0.95)}  # metric, and its suspicious value
_TRAIN_SHARE = 0.6
_MARGIN = 0.1  # of the range, on either side: the guard's
MAX_OUT_OF_RANGE = 0.05  # if more rows are out of range in some column, that is no sign of a bad row


def find_warnings(names: list[str], table: pd.DataFrame, contract: Contract, scores: dict[str, float]) -> list[str]:
    """Duplicate columns and rows, categories in several spellings, and columns that may leak the target.

    Args:
        names: all columns of the file.
        table: the contract's columns and the target.
        contract: the contract.
        scores: `single_column_scores`.
    """
    warnings = [
        f"there are two columns {original!r}: the second one is named {name!r}. If it is a copy, leave it out: "
        f"--drop {name!r}"
        for name, original in find_duplicate_columns(names)
    ]
    # Equal rows are in one part of the split, so that none is in training and test.
    duplicates = 0 if contract.time else int(table.duplicated(row_columns(contract)).sum())
    if duplicates:
        warnings.append(f"{duplicates:,} duplicate rows: if they are not separate cases, they count too much")
    warnings += find_spellings(table, contract)
    metric, threshold = _LEAKAGE[contract.task]
    for name, score in sorted(scores.items(), key=lambda item: -item[1]):
        if score >= threshold and name != contract.time:
            warnings.append(
                f"{name!r} almost determines the target ({metric} {score:.3f}): possible leakage. If it is known only "
                f"after the event, leave it out: --drop {name!r}"
            )
    return warnings


def find_spellings(table: pd.DataFrame, contract: Contract) -> Iterator[str]:
    """Categories and classes that differ only in upper and lower case, or in blanks."""
    for name in [*contract.of_type("category"), contract.target]:
        if table[name].dtype != "str":
            continue
        counts = table[name].value_counts()
        plain = counts.index.to_series().str.split().str.join(" ").str.casefold()
        several = counts[plain.duplicated(keep=False)]
        if len(several):
            spelt = plain[several.index]
            example = counts[plain == spelt.iloc[0]]
            listed = ", ".join(f"{value!r} ({n:,} rows)" for value, n in example.head(_MAX_LISTED).items())
            categories = "1 category is" if spelt.nunique() == 1 else f"{spelt.nunique():,} categories are"
            yield (
                f"{name!r}: {categories} spelt in several ways, for example {listed}. The model takes them for "
                "different ones: if they are not, correct the file"
            )


def share_out_of_range(table: pd.DataFrame, contract: Contract) -> float:
    """The share of the later rows, or of random ones, with any number outside the range of the other rows."""
    ordered = table.sort_values(contract.time) if contract.time else table.sample(frac=1, random_state=0)
    numbers = ordered[contract.of_type("number")]
    n_known = int(len(numbers) * _TRAIN_SHARE)
    known, new = numbers.iloc[:n_known], numbers.iloc[n_known:]
    margin = _MARGIN * (known.max() - known.min())
    outside = (new < known.min() - margin) | (new > known.max() + margin)
    return float(outside.any(axis=1).mean())


def single_column_scores(columns: dict[str, pd.Series], target: pd.Series, task: str) -> dict[str, float]:
    """The cross-validated score of a small tree on each column by itself.

    Args:
        columns: by name, each of shape (n_rows,), numbers, text or datetime64.
        target: of the same rows.
        task: classification, scored by ROC AUC (with several classes the mean of each against the rest), or
            regression, scored by R2.
    """
    rows = target.sample(min(_MAX_ROWS, len(target)), random_state=0).index
    if task == "classification":
        rows = rows.intersection(target.index[target.map(target[rows].value_counts()) >= _FOLDS])
    y = target.loc[rows]
    return {name: _score(values.loc[rows], y, task == "classification") for name, values in columns.items()}


def _score(values: pd.Series, y: pd.Series, is_classification: bool) -> float:
    tree = (DecisionTreeClassifier if is_classification else DecisionTreeRegressor)(max_depth=_DEPTH, random_state=0)
    folds = (StratifiedKFold if is_classification else KFold)(_FOLDS, shuffle=True, random_state=0)
    model, X = tree, _as_matrix(values)
    if X.dtype == object:  # text
        kind = ("multiclass" if y.nunique() > 2 else "binary") if is_classification else "continuous"
        model = make_pipeline(TargetEncoder(target_type=kind, cv=folds), tree)
    y_true = y.to_numpy() if is_classification else y.to_numpy(dtype=float)
    if not is_classification:
        return float(r2_score(y_true, cross_val_predict(model, X, y_true, cv=folds)))
    probabilities = cross_val_predict(model, X, y_true, cv=folds, method="predict_proba")
    per_class = [roc_auc_score(y_true == label, probabilities[:, n]) for n, label in enumerate(np.unique(y_true))]
    return float(np.mean(per_class))


def _as_matrix(values: pd.Series) -> np.ndarray:
    """Shape (n_rows, 1): text as objects, all else as numbers."""
    if values.dtype == "str":
        return values.astype(object).where(values.notna(), "").to_numpy(dtype=object)[:, None]
    if values.dtype.kind == "M":
        numbers = values.astype("int64").astype(float)
        return numbers.where(values.notna()).to_numpy()[:, None]
    return values.to_numpy(dtype=float)[:, None]
