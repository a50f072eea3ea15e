"""The MLflow signature of the packaged model, made from the contract."""

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import Array, Map, Object, Property

from ..contract import ColumnType, Contract, score_columns

_COLUMN_TYPES: dict[ColumnType, DataType] = {
    "category": DataType.string,
    "number": DataType.double,
    "datetime": DataType.datetime,
}
_PREDICTION_TYPES = {"b": DataType.boolean, "i": DataType.long, "u": DataType.long, "f": DataType.double}
_EXPLANATION = Object(
    [
        Property("method", DataType.string),
        Property("class", DataType.string, required=False),
        Property("unit", DataType.string),
        Property("base", DataType.double),
        Property("contributions", Map(DataType.double)),
        Property("output", DataType.double),
    ]
)


def make_signature(contract: Contract, classes: np.ndarray | None) -> ModelSignature:
    """The contract's columns in, the answers' columns out, and `explain` as a parameter.

    Args:
        contract: the contract.
        classes: in the order of the probabilities; None for a regression.
    """
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(_COLUMN_TYPES[column.type], name, required=not column.nullable)
        for name, column in contract.columns.items()
    ]
    kind = DataType.double if classes is None else _PREDICTION_TYPES.get(classes.dtype.kind, DataType.string)
    numbers = ["lower", "upper"] if classes is None else score_columns(classes)
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(kind, "prediction"),
        *(ColSpec(DataType.double, name) for name in numbers),
        ColSpec(DataType.string, "source"),
        ColSpec(Array(DataType.string), "reasons"),
        ColSpec(_EXPLANATION, "explanation", required=False),
    ]
    explain = ParamSpec("explain", DataType.boolean, default=False)
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema([explain]))
