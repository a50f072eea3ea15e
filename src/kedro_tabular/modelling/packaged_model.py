"""The packaged model: the one object that answers, whichever door the rows come through.

MLflow loads it from a registered version with nothing but this package and the stored objects beside it. It
checks each row against the contract and the training data, predicts, falls back where the model can't be
trusted, and says where each answer comes from.
"""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc import PythonModel, PythonModelContext
from sklearn.base import BaseEstimator

from ..contract import Contract, RowReasons, Values, check_rows, probability_column, to_columns
from . import serialization
from .explanation import Explainer, explain_fallback
from .guard import Guard
from .scores import score
from .signature import make_signature
from .transformers import LeanColumnTransformer

_MODEL, _FALLBACK = np.array("model", dtype=object), np.array("fallback", dtype=object)
STORED = ("preprocessor", "model", "guard", "fallback")  # the artifacts of fitted objects


class PackagedModel(PythonModel):
    """Contract, guard, preprocessing, estimator and fallback behind one `predict`.

    A row's answer never depends on the rows beside it. Answers have the rows' order and index, and these
    columns: `prediction`; for a classification `probability_<class>` for each class, for a regression `lower`
    and `upper`; `source`, "model" or "fallback"; `reasons`, a tuple of them as `Findings` writes them; and
    `explanation` when asked for, as `Explainer.explain` gives it.
    """

    contract: Contract
    preprocessor: LeanColumnTransformer
    estimator: BaseEstimator
    guard: Guard
    fallback: BaseEstimator

    @classmethod
    def from_parts(
        cls,
        contract: Contract,
        preprocessor: LeanColumnTransformer,
        estimator: BaseEstimator,
        guard: Guard,
        fallback: BaseEstimator,
    ) -> "PackagedModel":
        """The model from fitted objects in memory, as training has them."""
        model = cls()
        model.contract, model.preprocessor, model.estimator = contract, preprocessor, estimator
        model.guard, model.fallback = guard, fallback
        return model

    def load_context(self, context: PythonModelContext) -> None:
        """Read the stored objects of a registered version (MLflow calls this once)."""
        config = json.loads(Path(context.artifacts["contract"]).read_text())
        self.contract = Contract.from_parameters(config["table"])
        self.preprocessor, self.estimator, self.guard, self.fallback = (
            serialization.load(Path(context.artifacts[name]), config["trusted_types"]) for name in STORED
        )

    @property
    def classes(self) -> np.ndarray | None:
        """The classes in the order of the probabilities; None for a regression."""
        return getattr(self.estimator, "classes_", None)

    def predict(  # type: ignore[override]  # MLflow calls either form, with a context or without
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Answer raw rows as the contract describes them, columns in any order; others are ignored.

        Args:
            model_input: the rows.
            params: `{"explain": True}` asks for the column `explanation`.

        Raises:
            ContractError: columns of the contract are missing from the input as a whole.
        """
        explain = bool((params or {}).get("explain"))
        answers = self.answer(to_columns(model_input), len(model_input), explain)
        return pd.DataFrame(answers, index=model_input.index, copy=False)

    def answer(self, columns: Mapping[str, Values], n_rows: int, explain: bool) -> dict[str, np.ndarray]:
        """The same as `predict` from columns by name, without tables, whose making costs more than the rest.

        Args:
            columns: raw values, each column of shape (n_rows,).
            n_rows: how many.
            explain: whether to explain the answers.
        """
        findings = RowReasons(n_rows, self.guard.actions)
        rows = check_rows(self.contract, columns, findings)
        self.guard.inspect(rows, findings)
        scores, features = self._score(rows, ~findings.fallback)
        findings.add("failed", ~findings.fallback & np.isnan(scores).any(axis=1))
        self.guard.judge(scores, self.classes, findings)
        fell_back = findings.fallback
        explanations = np.full(n_rows, None, dtype=object)
        if fell_back.any():
            frame = pd.DataFrame({name: values[fell_back] for name, values in rows.items()})
            scores[fell_back] = score(self.fallback, frame)
            if explain:
                explanations[fell_back] = explain_fallback(self.fallback, frame, scores[fell_back])
        if explain and not fell_back.all():
            explanations[~fell_back] = self._explainer.explain(features[~fell_back], scores[~fell_back])
        answers = self._answers(scores, fell_back)
        answers |= {"source": np.where(fell_back, _FALLBACK, _MODEL), "reasons": findings.reasons()}
        return answers | {"explanation": explanations} if explain else answers

    def signature(self) -> ModelSignature:
        """The MLflow signature: the contract's columns in, the answers' columns out."""
        return make_signature(self.contract, self.classes)

    def _score(self, rows: dict[str, np.ndarray], left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the estimator says of the rows that are left to it, and their features; NaN for the others."""
        parts: tuple[np.ndarray, ...] = (left,) if left.any() else ()
        scores = np.full((len(left), 1 if self.classes is None else len(self.classes)), np.nan)
        features = np.full((len(left), len(self.guard.medians)), np.nan)
        if left.all() and len(left):
            try:
                made = self.preprocessor.transform(rows)
                return score(self.estimator, made), made
            except Exception:  # whatever it is, it may be the fault of one row only
                if len(left) == 1:
                    return scores, features
                half = np.arange(len(left)) < len(left) // 2
                parts = (half, ~half)
        for part in parts:
            chosen = {name: values[part] for name, values in rows.items()}
            scores[part], features[part] = self._score(chosen, np.ones(part.sum(), dtype=bool))
        return scores, features

    def _answers(self, scores: np.ndarray, fell_back: np.ndarray) -> dict[str, np.ndarray]:
        if self.classes is None:
            prediction = scores[:, 0]
            width = np.where(fell_back, self.guard.fallback_limit, self.guard.limit)
            return {"prediction": prediction, "lower": prediction - width, "upper": prediction + width}
        probabilities = {probability_column(label): scores[:, k] for k, label in enumerate(self.classes)}
        return {"prediction": self.classes.take(scores.argmax(axis=1)), **probabilities}

    @cached_property
    def _explainer(self) -> Explainer:
        names = self.preprocessor.get_feature_names_out().tolist()
        return Explainer(self.estimator, names, self.guard.medians)
