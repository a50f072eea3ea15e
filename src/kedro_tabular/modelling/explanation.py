"""Explanations of predictions: the contribution of each feature to the output, on top of a base value."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .fallback import Groups
from .labels import unwrap
from .scores import score

TREE_PACKAGES = ("sklearn.ensemble", "sklearn.tree", "xgboost", "lightgbm", "catboost")
_INTERACTIONS = "(interactions)"


class Explainer:
    """Explains a fitted estimator by the method that suits it:

    `tree_shap`: exact Shapley values of an ensemble of trees (Lundberg et al. 2020,
    https://doi.org/10.1038/s42256-019-0138-9), if the package shap is installed.
    `coefficients`: of a linear model, times the feature.
    `replacement`: for any other; the change of the output when one feature is set to its median of the training rows.
    The contribution of several features together is named `(interactions)`.

    Args:
        estimator: the fitted estimator, or a pipeline that ends with it.
        names: of its features.
        medians: of its features over the training rows, shape (n_features,).
    """

    def __init__(self, estimator: BaseEstimator, names: list[str], medians: np.ndarray) -> None:
        self._estimator, self._names, self._medians = estimator, names, medians
        self._steps: Pipeline | None = estimator[:-1] if isinstance(estimator, Pipeline) else None
        self._final = unwrap(estimator)
        self._classes = getattr(estimator, "classes_", None)
        self._tree_explainer = _make_tree_explainer(self._final)

    def explain(self, features: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
        """Explain rows, each for its predicted class; with two classes always for the second.

        Args:
            features: of shape (n_rows, n_features).
            scores: the estimator's, of shape (n_rows, n_classes) or (n_rows, 1).

        Returns:
            For each row `method`, `class` (None for a regression), `unit` of the numbers (`probability`, `prediction`,
            or `margin` where the model transforms the output into one of these), `base`, `contributions` by feature,
            and `output`: base and contributions summed.
        """
        explained = explained_scores(scores)
        names = self._names
        if self._tree_explainer is not None:
            method, (base, contributions) = "tree_shap", self._explain_trees(features, explained)
        elif type(self._final).__module__.startswith("sklearn.linear_model") and hasattr(self._final, "coef_"):
            method, (base, contributions) = "coefficients", self._explain_coefficients(features, explained)
        else:
            method, (base, contributions) = "replacement", self._explain_replacement(features, explained)
            names = [*names, _INTERACTIONS]
        output = np.array([start + row.sum() for start, row in zip(base, contributions, strict=True)])
        labels = _labels(self._classes, explained)
        explanations = _explanations(method, labels, names, base, contributions, output)
        for explanation, row_score in zip(explanations, _take(scores, explained), strict=True):
            if not np.isclose(explanation["output"], row_score):
                explanation["unit"] = "margin"
        return explanations

    def _transform(self, features: np.ndarray) -> np.ndarray:
        return features if self._steps is None else self._steps.transform(features)

    def _explain_trees(self, features: np.ndarray, explained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = np.asarray(self._tree_explainer.shap_values(self._transform(features), check_additivity=False))
        base = np.atleast_1d(self._tree_explainer.expected_value)
        if values.ndim == 2:  # one output, which with two classes is that of the second
            return np.full(len(features), base[-1]), values
        return base[explained], values[np.arange(len(features)), :, explained]

    def _explain_coefficients(self, features: np.ndarray, explained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        coefficients = np.atleast_2d(self._final.coef_)
        intercepts = np.broadcast_to(self._final.intercept_, len(coefficients))
        outputs = explained if len(coefficients) > 1 else np.zeros(len(features), dtype=int)
        return intercepts[outputs], self._transform(features) * coefficients[outputs]

    def _explain_replacement(self, features: np.ndarray, explained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n_rows, n_features = features.shape
        replaced = np.repeat(features[:, None, :], n_features, axis=1)
        replaced[:, range(n_features), range(n_features)] = self._medians
        replaced_output = self._output(replaced.reshape(-1, n_features), np.repeat(explained, n_features))
        output = self._output(features, explained)
        base = self._output(np.tile(self._medians, (n_rows, 1)), explained)
        contributions = output[:, None] - replaced_output.reshape(n_rows, n_features)
        return base, np.column_stack([contributions, output - base - contributions.sum(axis=1)])

    def _output(self, features: np.ndarray, explained: np.ndarray) -> np.ndarray:
        return _take(score(self._estimator, features), explained)


def explained_scores(scores: np.ndarray) -> np.ndarray:
    """The position of the score of each row to explain: the second of two, the highest of more, the only one."""
    if scores.shape[1] == 2:
        return np.ones(len(scores), dtype=int)
    return scores.argmax(axis=1)


def explain_fallback(fallback: BaseEstimator, rows: pd.DataFrame, scores: np.ndarray) -> list[dict[str, Any]]:
    """Explain predictions of a fallback, in the form of `Explainer.explain`.

    For means by group the base is the overall mean, and each column of the group contributes. For any other fallback
    the base is the prediction.
    """
    explained = explained_scores(scores)
    labels = _labels(getattr(fallback, "classes_", None), explained)
    levels, names = scores[None], []
    if isinstance(fallback, Groups):
        levels, names = fallback.means_by_depth(rows), fallback.by
    outputs = _take(levels, explained)
    return _explanations("fallback", labels, names, outputs[0], np.diff(outputs, axis=0).T, outputs[-1])


def _take(scores: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The score at each row's position, from scores of shape (..., n_rows, n_scores)."""
    return scores[..., np.arange(len(positions)), positions]


def _labels(classes: np.ndarray | None, positions: np.ndarray) -> list[str | None]:
    return [None if classes is None else str(classes[k]) for k in positions]


def _explanations(
    method: str, labels: list[str | None], names: list[str], base: np.ndarray, parts: np.ndarray, output: np.ndarray
) -> list[dict[str, Any]]:
    return [
        {
            "method": method,
            "class": label,
            "unit": "prediction" if label is None else "probability",
            "base": float(row_base),
            "contributions": dict(zip(names, contributions.tolist(), strict=True)),
            "output": float(row_output),
        }
        for label, row_base, contributions, row_output in zip(labels, base, parts, output, strict=True)
    ]


def _make_tree_explainer(estimator: BaseEstimator) -> Any:
    """shap's explainer; None if shap does not support the estimator or is not installed."""
    if not type(estimator).__module__.startswith(TREE_PACKAGES) or find_spec("shap") is None:
        return None
    import shap  # takes a second, and is an extra

    try:
        return shap.TreeExplainer(estimator)
    except ValueError:  # an estimator that shap does not support
        return None
