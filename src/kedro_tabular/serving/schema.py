"""The OpenAPI description, with the columns of the contract as typed fields and an example that works."""

import json
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import models_json_schema

from ..contract import Column, ColumnType
from .deployment import Deployed
from .log.records import as_json

_TYPES: dict[ColumnType, Any] = {"category": str, "number": float, "datetime": str}


class Explanation(BaseModel):
    """What each feature adds to the output, on top of a base value."""

    method: Literal["tree_shap", "coefficients", "replacement", "fallback"]
    class_: str | None = Field(alias="class")
    unit: Literal["margin", "probability", "prediction"]
    base: float
    contributions: dict[str, float]
    output: float


class _Answer(BaseModel):
    id: str = Field(description="names this prediction in the log; send it with the outcome")
    prediction: Any
    source: Literal["model", "fallback"]
    reasons: list[str] = Field(description="code:column=value; why it fell back, or what to be careful about")
    explanation: Explanation | None = Field(default=None, description="if asked for by ?explain=true")


class Fault(BaseModel):
    """What went wrong."""

    code: str
    message: str
    field: str | None = None
    expected: Any = None


class ErrorBody(BaseModel):
    """A request that was refused or failed."""

    error: Fault


class Outcome(BaseModel):
    """What came of a prediction, named by its id or by the values of the key columns."""

    model_config = ConfigDict(extra="forbid")
    id: str | None = None
    key: dict[str, Any] | None = None
    outcome: bool | int | float | str


class Outcomes(BaseModel):
    """Outcomes to be stored."""

    outcomes: list[Outcome]


class Stored(BaseModel):
    """How many outcomes were stored, and how many of these no prediction is known for yet."""

    stored: int
    without_prediction: int


def body_schemas(deployed: Deployed) -> dict[str, Any]:
    """JSON schemas of what `/predict` takes and gives, and of the other bodies, by name."""
    contract = deployed.contract
    columns = {name: _field(column) for name, column in contract.columns.items()}
    row = create_model("Row", __config__=ConfigDict(extra="allow"), **_named(columns))
    rows = create_model(
        "Rows",
        records=(list[row], Field(examples=[example_records(deployed.example.head(1))])),  # type: ignore[valid-type]
    )
    numbers: dict[str, Any] = {"lower": (float, ...), "upper": (float, ...)}
    if deployed.classes:
        probability = create_model("Probability", **_named(dict.fromkeys(deployed.classes, (float, ...))))
        numbers = {"probability": (probability, ...)}
    answer = create_model("Answer", __base__=_Answer, **numbers)
    answers = create_model("Answers", model=(str, ...), version=(str, ...), predictions=(list[answer], ...))  # type: ignore[valid-type]
    models: list[type[BaseModel]] = [rows, answers, ErrorBody, Outcomes, Stored]
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _named(fields: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Fields of any name: as an attribute pydantic does not take `_id`, nor `copy`, which it has itself."""
    return {
        f"field_{position}": (Annotated[kind, Field(alias=name, title=name)], default)
        for position, (name, (kind, default)) in enumerate(fields.items())
    }


def _field(column: Column) -> tuple[Any, Any]:
    extra: Any = {"format": "date-time"} if column.type == "datetime" else None
    low, high = (column.min, column.max) if column.type == "number" else (None, None)
    kind: Any = Annotated[_TYPES[column.type], Field(ge=low, le=high, json_schema_extra=extra)]
    return (kind | None, None) if column.nullable else (kind, ...)


def example_records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: date-times in ISO 8601, null for what is missing."""
    records = rows.to_dict(orient="records")
    plain = [
        {n: v.isoformat() if isinstance(v, pd.Timestamp) and not pd.isna(v) else v for n, v in record.items()}
        for record in records
    ]
    told: list[dict[str, Any]] = json.loads(as_json(plain))
    return told


def describe(openapi: dict[str, Any], deployed: Deployed, guarded: bool) -> dict[str, Any]:
    """Fill the bodies, and the key if one is needed, into what FastAPI tells of the routes."""
    components = openapi.setdefault("components", {})
    components["schemas"] = body_schemas(deployed)
    if guarded:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        openapi["security"] = [{"key": []}]
    example = example_records(deployed.example.head(1))
    split = {"columns": list(example[0]), "data": [list(example[0].values())]}
    invocation = {"type": "object", "properties": {"dataframe_split": {"type": "object"}}}
    bodies = {"/predict": ("Rows", "Answers"), "/outcomes": ("Outcomes", "Stored")}
    for path, (takes, gives) in bodies.items():
        if path in openapi["paths"]:
            post = openapi["paths"][path]["post"]
            post["requestBody"] = _content({"$ref": f"#/components/schemas/{takes}"}) | {"required": True}
            post["responses"]["200"] |= _content({"$ref": f"#/components/schemas/{gives}"})
    post = openapi["paths"]["/invocations"]["post"]
    post["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {"schema": invocation, "example": {"dataframe_split": split}},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    }
    error = _content({"$ref": "#/components/schemas/ErrorBody"})
    for path in openapi["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status != "200":
                    response |= error
    return openapi


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}
