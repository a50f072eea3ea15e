"""The MLflow signature of a packaged model: the columns that it reads, and those that it predicts."""

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import Array, Map, Object, Property

from ..contract import ColumnType
from ..contract import predictions as output
from .packaged_model import PackagedModel

_COLUMN_TYPES: dict[ColumnType, DataType] = {
    "category": DataType.string,
    "number": DataType.double,
    "datetime": DataType.datetime,
}
_CLASS_TYPES = {"b": DataType.boolean, "i": DataType.long, "u": DataType.long, "f": DataType.double}
_EXPLANATION_TYPE = Object(
    [
        Property("method", DataType.string),
        Property("class", DataType.string, required=False),
        Property("unit", DataType.string),
        Property("base", DataType.double),
        Property("contributions", Map(DataType.double)),
        Property("output", DataType.double),
    ]
)


def make_signature(model: PackagedModel) -> ModelSignature:
    """The contract's columns as inputs, the columns of predictions as outputs, and the parameter `explain`."""
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(_COLUMN_TYPES[column.type], name, required=not column.nullable)
        for name, column in model.contract.columns.items()
    ]
    prediction_type, numbers = DataType.double, [output.LOWER, output.UPPER]
    has_numbers = model.classes is not None  # in every row
    if model.classes is not None:
        prediction_type = _CLASS_TYPES.get(model.classes.dtype.kind, DataType.string)
        numbers = output.score_columns(model.classes)
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(prediction_type, output.PREDICTION),
        *(ColSpec(DataType.double, name, required=has_numbers) for name in numbers),
        ColSpec(DataType.string, output.SOURCE),
        ColSpec(Array(DataType.string), output.REASONS),
        ColSpec(_EXPLANATION_TYPE, output.EXPLANATION, required=False),
    ]
    explain = ParamSpec("explain", DataType.boolean, default=False)
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema([explain]))
