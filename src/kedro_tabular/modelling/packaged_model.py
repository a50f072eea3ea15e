"""The packaged model: an MLflow pyfunc that makes the same predictions wherever it is loaded.

MLflow loads it from the artifacts and the archived code of a registered version. It checks each row against the
contract and the training data, predicts, and uses the fallback for rows that the guard does not leave to the estimator.
"""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext
from sklearn.base import BaseEstimator

from ..contract import Contract, RowReasons, Values, check_rows, to_columns
from ..contract import predictions as output
from .explanation import Explainer, explain_fallback
from .guard import Guard
from .loading import load
from .scores import decide, score
from .transformers import LeanColumnTransformer

FITTED_ARTIFACTS = ("preprocessor", "model", "guard", "fallback")
_MODEL, _FALLBACK = np.array("model", dtype=object), np.array("fallback", dtype=object)


class PackagedModel(PythonModel):
    """Contract, guard, preprocessing, estimator and fallback behind one `predict`.

    Rows are scored independently. Predictions have the order and index of the rows, and these columns: `prediction`;
    for a classification `probability_<class>` of each class, for a regression `lower` and `upper`, NaN where the
    fallback predicts; `source`, "model" or "fallback"; `reasons`, a tuple (see `RowReasons`); and on request
    `explanation` (see `Explainer.explain`).
    """

    contract: Contract
    preprocessor: LeanColumnTransformer
    estimator: BaseEstimator
    guard: Guard
    fallback: BaseEstimator
    threshold: float | None = None  # see `decide`

    @classmethod
    def from_parts(
        cls,
        contract: Contract,
        preprocessor: LeanColumnTransformer,
        estimator: BaseEstimator,
        guard: Guard,
        fallback: BaseEstimator,
        threshold: float | None = None,
    ) -> "PackagedModel":
        """The model from fitted objects in memory, and the threshold of its decision (see `decide`)."""
        model = cls()
        model.contract, model.preprocessor, model.estimator = contract, preprocessor, estimator
        model.guard, model.fallback, model.threshold = guard, fallback, threshold
        return model

    def load_context(self, context: PythonModelContext) -> None:
        """Load the artifacts of a registered version (MLflow calls this once)."""
        config = json.loads(Path(context.artifacts["contract"]).read_text(encoding="utf-8"))
        self.contract = Contract.from_parameters(config["table"])
        self.threshold = config.get("decision", {}).get("threshold")
        self.preprocessor, self.estimator, self.guard, self.fallback = (
            load(Path(context.artifacts[name]), config["trusted_types"]) for name in FITTED_ARTIFACTS
        )

    @property
    def classes(self) -> np.ndarray | None:
        """The classes in the order of the probabilities; None for a regression."""
        return getattr(self.estimator, "classes_", None)

    def predict(  # type: ignore[override]  # MLflow supports a signature without a context
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Predict raw rows with the columns of the contract, in any order; other columns are ignored.

        `params={"explain": True}` adds the column `explanation`. Raises ContractError if columns are missing.
        """
        explain = bool((params or {}).get("explain"))
        predictions = self.predict_columns(to_columns(model_input), len(model_input), explain)
        return pd.DataFrame(predictions, index=model_input.index, copy=False)

    def predict_columns(self, columns: Mapping[str, Values], n_rows: int, explain: bool) -> dict[str, np.ndarray]:
        """Predict from raw columns by name, each of shape (n_rows,).

        This is `predict` without tables, which take longer to make than the prediction of a single row.
        """
        reasons = RowReasons(n_rows, self.guard.actions)
        rows = check_rows(self.contract, columns, reasons)
        self.guard.check_input(rows, reasons)
        scores, features = self._score(rows, ~reasons.fallback)
        reasons.add("failed", ~reasons.fallback & np.isnan(scores).any(axis=1))
        self.guard.check_confidence(scores, self.classes, reasons)
        use_fallback = reasons.fallback
        explanations = np.full(n_rows, None, dtype=object)
        if use_fallback.any():
            frame = pd.DataFrame({name: values[use_fallback] for name, values in rows.items()})
            scores[use_fallback] = score(self.fallback, frame)
            if explain:
                explanations[use_fallback] = explain_fallback(self.fallback, frame, scores[use_fallback])
        if explain and not use_fallback.all():
            explanations[~use_fallback] = self._explainer.explain(features[~use_fallback], scores[~use_fallback])
        predictions = self._to_predictions(scores, use_fallback)
        predictions |= {output.SOURCE: np.where(use_fallback, _FALLBACK, _MODEL), output.REASONS: reasons.to_array()}
        return predictions | {output.EXPLANATION: explanations} if explain else predictions

    def _score(self, rows: dict[str, np.ndarray], mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores and features of the rows of a mask; NaN for other rows, and for those on which the estimator fails."""
        parts: tuple[np.ndarray, ...] = (mask,) if mask.any() else ()
        scores = np.full((len(mask), 1 if self.classes is None else len(self.classes)), np.nan)
        features = np.full((len(mask), len(self.guard.medians)), np.nan)
        if mask.all() and len(mask):
            try:
                transformed = self.preprocessor.transform(rows)
                return score(self.estimator, transformed), transformed
            except Exception:  # of any type: a single row may cause it
                if len(mask) == 1:
                    return scores, features
                is_first_half = np.arange(len(mask)) < len(mask) // 2
                parts = (is_first_half, ~is_first_half)
        for part in parts:
            rows_of_part = {name: values[part] for name, values in rows.items()}
            scores[part], features[part] = self._score(rows_of_part, np.ones(part.sum(), dtype=bool))
        return scores, features

    def _to_predictions(self, scores: np.ndarray, use_fallback: np.ndarray) -> dict[str, np.ndarray]:
        if self.classes is None:
            prediction = scores[:, 0]
            # the fallback predicts rows outside the contract, whose errors no calibration row tells
            width = np.where(use_fallback, np.nan, self.guard.limit)
            return {output.PREDICTION: prediction, output.LOWER: prediction - width, output.UPPER: prediction + width}
        probabilities = {output.probability_column(label): scores[:, k] for k, label in enumerate(self.classes)}
        return {output.PREDICTION: self.classes.take(decide(scores, self.threshold)), **probabilities}

    @cached_property
    def _explainer(self) -> Explainer:
        names = self.preprocessor.get_feature_names_out().tolist()
        return Explainer(self.estimator, names, self.guard.medians)
