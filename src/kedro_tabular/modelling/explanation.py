"""Why a model answers a row as it does: what each feature adds to the output, on top of a base value."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .fallback import Groups
from .scores import score

_TREES = ("sklearn.ensemble", "sklearn.tree", "xgboost", "lightgbm", "catboost")
_INTERACTIONS = "(interactions)"


class Explainer:
    """Explains a fitted estimator by the method that fits it.

    `tree_shap`: exact Shapley values of an ensemble of trees (Lundberg et al. 2020,
    https://doi.org/10.1038/s42256-019-0138-9), where the package shap is installed.
    `coefficients`: of a linear model, times the feature.
    `replacement`: of any other; how the output changes when one feature is set to its median of the training
    rows. What is due to several features together stands under `(interactions)`.

    Args:
        estimator: the fitted estimator, or a pipeline that ends in it.
        names: of its features.
        medians: of its features over the training rows, shape (n_features,).
    """

    def __init__(self, estimator: BaseEstimator, names: list[str], medians: np.ndarray) -> None:
        self._estimator, self._names, self._medians = estimator, names, medians
        is_pipeline = isinstance(estimator, Pipeline)
        self._steps: Pipeline | None = estimator[:-1] if is_pipeline else None
        self._final = estimator[-1] if is_pipeline else estimator
        self._classes = getattr(estimator, "classes_", None)
        self._trees = _tree_explainer(self._final)

    def explain(self, features: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
        """Explain rows, each for its predicted class, with two classes for the last one.

        Args:
            features: of shape (n_rows, n_features).
            scores: the estimator's, of shape (n_rows, n_classes) or (n_rows, 1).

        Returns:
            For each row `method`, `class` (None for a regression), `unit` of the numbers (`probability`,
            `prediction`, or `margin` where the model turns their sum into one of these), `base`,
            `contributions` by feature and `output`, which is their sum.
        """
        chosen = explained_class(scores)
        if self._trees is not None:
            method, (base, parts) = "tree_shap", self._by_trees(features, chosen)
        elif type(self._final).__module__.startswith("sklearn.linear_model") and hasattr(self._final, "coef_"):
            method, (base, parts) = "coefficients", self._by_coefficients(features, chosen)
        else:
            method, (base, parts) = "replacement", self._by_replacement(features, chosen)
        names = self._names if method != "replacement" else [*self._names, _INTERACTIONS]
        told = scores[np.arange(len(scores)), chosen]
        labels = _labels(self._classes, chosen)
        explanations = [
            _explanation(method, label, start, dict(zip(names, row.tolist(), strict=True)), start + row.sum())
            for label, start, row in zip(labels, base, parts, strict=True)
        ]
        for explanation, said in zip(explanations, told, strict=True):
            if not np.isclose(explanation["output"], said):
                explanation["unit"] = "margin"
        return explanations

    def _prepared(self, features: np.ndarray) -> np.ndarray:
        return features if self._steps is None else self._steps.transform(features)

    def _by_trees(self, features: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = np.asarray(self._trees.shap_values(self._prepared(features), check_additivity=False))
        base = np.atleast_1d(self._trees.expected_value)
        if values.ndim == 2:  # one output, which with two classes is that of the last one
            return np.full(len(features), base[-1]), values
        return base[chosen], values[np.arange(len(features)), :, chosen]

    def _by_coefficients(self, features: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        coefficients = np.atleast_2d(self._final.coef_)
        intercepts = np.broadcast_to(self._final.intercept_, len(coefficients))
        rows = chosen if len(coefficients) > 1 else np.zeros(len(features), dtype=int)
        return intercepts[rows], self._prepared(features) * coefficients[rows]

    def _by_replacement(self, features: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n_rows, n_features = features.shape
        replaced = np.repeat(features[:, None, :], n_features, axis=1)
        replaced[:, range(n_features), range(n_features)] = self._medians
        outputs = self._output(replaced.reshape(-1, n_features), np.repeat(chosen, n_features))
        output = self._output(features, chosen)
        base = self._output(np.tile(self._medians, (n_rows, 1)), chosen)
        parts = output[:, None] - outputs.reshape(n_rows, n_features)
        return base, np.column_stack([parts, output - base - parts.sum(axis=1)])

    def _output(self, features: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return score(self._estimator, features)[np.arange(len(features)), chosen]


def explained_class(scores: np.ndarray) -> np.ndarray:
    """Which score of each row is explained: the last of two, the highest of more, the only one."""
    if scores.shape[1] == 2:
        return np.ones(len(scores), dtype=int)
    return scores.argmax(axis=1)


def explain_fallback(fallback: BaseEstimator, rows: pd.DataFrame, scores: np.ndarray) -> list[dict[str, Any]]:
    """Explain the answers of a fallback, in the form of `Explainer.explain`.

    Means by group start from the overall mean, and each column of the group moves it. Any other fallback is
    all base.
    """
    classes, chosen = getattr(fallback, "classes_", None), explained_class(scores)
    known, names = scores[None], []
    if isinstance(fallback, Groups):
        known, names = fallback.means_by_depth(rows), fallback.by
    steps = known[:, np.arange(len(rows)), chosen].T
    return [
        _explanation("fallback", label, row[0], dict(zip(names, np.diff(row).tolist(), strict=True)), row[-1])
        for label, row in zip(_labels(classes, chosen), steps, strict=True)
    ]


def _labels(classes: np.ndarray | None, chosen: np.ndarray) -> list[str | None]:
    return [None if classes is None else str(classes[k]) for k in chosen]


def _explanation(
    method: str, label: str | None, base: float, contributions: dict[str, float], output: float
) -> dict[str, Any]:
    return {
        "method": method,
        "class": label,
        "unit": "prediction" if label is None else "probability",
        "base": float(base),
        "contributions": contributions,
        "output": float(output),
    }


def _tree_explainer(estimator: BaseEstimator) -> Any:
    """What shap has for the estimator; None where it has nothing, or is not installed."""
    if not type(estimator).__module__.startswith(_TREES) or find_spec("shap") is None:
        return None
    import shap  # takes a second, and is an extra

    try:
        return shap.TreeExplainer(estimator)
    except shap.utils._exceptions.InvalidModelError:
        return None
