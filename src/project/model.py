"""The packaged model: the one object that answers, whichever door the rows come through.

MLflow loads it from a registered version with nothing but this package and the stored objects beside it. It
checks each row against the contract, predicts, and says where the answer comes from.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import Array
from sklearn.base import BaseEstimator

from . import serialization
from .contract import ColumnType, Contract
from .rows import check_rows
from .transformers import LeanColumnTransformer

_COLUMN_TYPES: dict[ColumnType, DataType] = {
    "category": DataType.string,
    "number": DataType.double,
    "datetime": DataType.datetime,
}
_PREDICTION_TYPES = {"b": DataType.boolean, "i": DataType.long, "u": DataType.long, "f": DataType.double}
_NULLABLE_DTYPES = {"b": "boolean", "i": "Int64", "u": "Int64"}


def predict_scores(
    contract: Contract, preprocessor: LeanColumnTransformer, estimator: BaseEstimator, rows: pd.DataFrame
) -> np.ndarray:
    """What the estimator says of rows that keep to the contract.

    Returns:
        Probabilities of shape (n_rows, n_classes) in the order of the estimator's classes, or for a
        regression the predictions of shape (n_rows, 1).
    """
    features = preprocessor.transform(contract.select(rows))
    if contract.task == "classification":
        return estimator.predict_proba(features)
    return estimator.predict(features).reshape(-1, 1)


def scores_to_answers(scores: np.ndarray, classes: np.ndarray | None, index: pd.Index) -> pd.DataFrame:
    """Scores as columns: `prediction`, and `probability_<class>` where there are classes.

    A row whose scores are NaN has no prediction: a missing value of the column's type.
    """
    if classes is None:
        return pd.DataFrame({"prediction": scores[:, 0]}, index=index)
    unanswered = np.isnan(scores[:, 0])
    best = classes.take(np.where(unanswered[:, None], 0, scores).argmax(axis=1))
    prediction: Any = pd.array(best, dtype=_NULLABLE_DTYPES.get(classes.dtype.kind))
    if unanswered.any():
        prediction[unanswered] = None
    probabilities = {f"probability_{label}": scores[:, k] for k, label in enumerate(classes)}
    return pd.DataFrame({"prediction": prediction, **probabilities}, index=index)


class PackagedModel(PythonModel):
    """Contract, preprocessing and estimator behind one `predict`.

    A row's answer never depends on the rows beside it. Answers have the rows' order and index, and beside
    the columns of `scores_to_answers`: `source`, which is "model", or "none" for a row that breaks the
    contract and gets no prediction; and `reasons`, the tuple of codes that `check_rows` gives.
    """

    contract: Contract
    preprocessor: LeanColumnTransformer
    estimator: BaseEstimator

    @classmethod
    def from_parts(
        cls, contract: Contract, preprocessor: LeanColumnTransformer, estimator: BaseEstimator
    ) -> "PackagedModel":
        """The model from fitted objects in memory, as training has them."""
        model = cls()
        model.contract, model.preprocessor, model.estimator = contract, preprocessor, estimator
        return model

    def load_context(self, context: PythonModelContext) -> None:
        """Read the stored objects of a registered version (MLflow calls this once)."""
        config = json.loads(Path(context.artifacts["contract"]).read_text())
        self.contract = Contract.from_parameters(config["table"])
        self.preprocessor, self.estimator = (
            serialization.load(Path(context.artifacts[name]), config["trusted_types"])
            for name in ("preprocessor", "model")
        )

    @property
    def classes(self) -> np.ndarray | None:
        """The classes in the order of the probabilities; None for a regression."""
        return getattr(self.estimator, "classes_", None)

    def predict(  # type: ignore[override]  # MLflow calls either form, with a context or without
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Answer raw rows as the contract describes them, columns in any order; others are ignored.

        Raises:
            ContractError: columns of the contract are missing from the input as a whole.
        """
        rows, reasons = check_rows(self.contract, model_input)
        sound = np.ones(len(rows), dtype=bool)
        sound[list(reasons)] = False
        scores = np.full((len(rows), 1 if self.classes is None else len(self.classes)), np.nan)
        if sound.any():
            answered = rows if sound.all() else rows[sound]
            scores[sound] = predict_scores(self.contract, self.preprocessor, self.estimator, answered)
        answers = scores_to_answers(scores, self.classes, rows.index)
        answers["source"] = np.where(sound, "model", "none").astype(object)
        why = np.empty(len(rows), dtype=object)
        why.fill(())  # and not a list of its own for each row: so many objects take long to collect
        for position, codes in reasons.items():
            why[position] = codes
        answers["reasons"] = why
        return answers

    def signature(self) -> ModelSignature:
        """The MLflow signature: the contract's columns in, the answers' columns out."""
        inputs: list[ColSpec | TensorSpec] = [
            ColSpec(_COLUMN_TYPES[column.type], name, required=not column.nullable)
            for name, column in self.contract.columns.items()
        ]
        outputs: list[ColSpec | TensorSpec] = [ColSpec(self._prediction_type(), "prediction", required=False)]
        if self.classes is not None:
            outputs += [
                ColSpec(DataType.double, f"probability_{label}", required=False) for label in self.classes
            ]
        outputs += [ColSpec(DataType.string, "source"), ColSpec(Array(DataType.string), "reasons")]
        return ModelSignature(Schema(inputs), Schema(outputs))

    def _prediction_type(self) -> DataType:
        if self.classes is None:
            return DataType.double
        return _PREDICTION_TYPES.get(self.classes.dtype.kind, DataType.string)
