"""The OpenAPI schema: the contract's columns as typed fields, and an example of a row."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import models_json_schema

from ..contract import Column, ColumnType, Contract
from .loaded_version import LoadedVersion, RowSchema
from .parsing import RECORD_ID

SCHEMAS = "#/components/schemas/"
SHARED_SCHEMAS = frozenset({"ErrorBody", "Explanation", "Fault", "Outcome", "Outcomes", "Stored", "UnknownField"})
_BODIES = {"predict": ("Rows", "Answers"), "outcomes": ("Outcomes", "Stored")}  # by the end of the path
_TYPES: dict[ColumnType, Any] = {"category": str, "number": float, "datetime": str}


_TOLD: Any = Field(default=None, description="only if there are any, and serving.unknown_fields is tell")


Schema = LoadedVersion | RowSchema


class Explanation(BaseModel):
    """The contribution of each feature to the output, on top of a base value."""

    method: Literal["tree_shap", "coefficients", "replacement", "fallback"]
    class_: str | None = Field(alias="class")
    unit: Literal["margin", "probability", "prediction"]
    base: float
    contributions: dict[str, float]
    output: float


class _Prediction(BaseModel):
    id: str = Field(description="the id of this prediction in the log; send it with the outcome")
    prediction: Any
    record_id: str | None = Field(default=None, description="the `id` of the record, if one of the records has one")
    source: Literal["model", "fallback"]
    reasons: list[str] = Field(description="code:column=value; why it fell back, or what to be careful about")
    explanation: Explanation | None = Field(default=None, description="with ?explain=true")


class UnknownField(BaseModel):
    """A field that is not read, for example no column and no key, and the known field of a similar name."""

    field: str
    near: str | None = None


class Fault(BaseModel):
    """Why a request failed."""

    code: str
    message: str
    field: str | None = None
    expected: Any = None


class ErrorBody(BaseModel):
    """The response to a request that failed."""

    error: Fault


class Outcome(BaseModel):
    """The outcome of a prediction, which is named by its id or by the values of the key columns."""

    model_config = ConfigDict(extra="forbid")
    id: Annotated[str, Field(max_length=64, pattern="^[ -~]+$")] | None = None
    key: dict[str, Any] | None = None
    outcome: bool | int | float | Annotated[str, Field(max_length=10_000)]
    outcome_time: datetime | None = Field(
        default=None, description="when it happened, without a time zone in that of the table; now, if it is not given"
    )


class Outcomes(BaseModel):
    """Outcomes to store."""

    outcomes: list[Outcome]


class Stored(BaseModel):
    """The number of stored outcomes, and of those among them that have no prediction yet."""

    stored: int
    without_prediction: int
    unknown_fields: list[UnknownField] | None = _TOLD


def body_schemas(version: Schema) -> dict[str, Any]:
    """JSON schemas of the bodies of requests and responses, by name."""
    contract = version.contract
    row_fields: dict[str, Any] = {name: _field(column) for name, column in contract.columns.items()}
    if contract.time:  # that of the event in the prediction log, even if it is no feature
        row_fields.setdefault(contract.time, _field(Column(type="datetime", nullable=True)))
    row_fields.setdefault(RECORD_ID, (str | int | None, Field(default=None, description="an id of your own")))
    row = create_model("Row", __config__=ConfigDict(extra="allow"), **_with_aliases(row_fields))
    records = Field(examples=[[_example_record(contract)]])
    rows = create_model("Rows", records=(list[row], records))  # type: ignore[valid-type]
    bound = Field(description="of the prediction interval; null where the fallback predicts")
    scores: dict[str, Any] = {"lower": (float | None, bound), "upper": (float | None, bound)}
    if version.classes:
        class_fields = dict.fromkeys(version.classes, (float, ...))
        scores = {"probability": (create_model("Probability", **_with_aliases(class_fields)), ...)}
    # the names of the models are those of the schema, which generated clients use
    answer = create_model("Answer", __base__=_Prediction, **scores)
    answers = create_model(
        "Answers",
        model=(str, ...),
        version=(str, ...),
        predictions=(list[answer], ...),  # type: ignore[valid-type]
        unknown_fields=(list[UnknownField], _TOLD),
    )
    models: list[Any] = [(model, "validation") for model in (rows, answers, ErrorBody, Outcomes, Stored)]
    _, schema = models_json_schema(models, ref_template=f"{SCHEMAS}{{model}}")
    return dict(schema["$defs"])


def _with_aliases(fields: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Fields of any name: pydantic accepts neither `_id` as an attribute nor `copy`, which it has itself."""
    return {
        f"field_{position}": (Annotated[kind, Field(alias=name, title=name)], default)
        for position, (name, (kind, default)) in enumerate(fields.items())
    }


def _field(column: Column) -> tuple[Any, Any]:
    extra: Any = {"format": "date-time"} if column.type == "datetime" else None
    kind: Any = Annotated[_TYPES[column.type], Field(ge=column.min, le=column.max, json_schema_extra=extra)]
    return (kind | None, None) if column.nullable else (kind, ...)


def _example_record(contract: Contract) -> dict[str, Any]:
    """A made-up row within the contract: the page is public, and rows of the table may not be."""
    return {name: _example_value(column) for name, column in contract.columns.items()}


def _example_value(column: Column) -> float | str:
    if column.type == "number":
        low, high = column.min, column.max
        if low is not None and high is not None:
            return low / 2 + high / 2
        return low if low is not None else high if high is not None else 1.0
    return "2025-01-31T12:00:00" if column.type == "datetime" else "text"


def complete_openapi(openapi: dict[str, Any], version: Schema, with_api_key: bool) -> dict[str, Any]:
    """Add the bodies, and the API key if there is one, to FastAPI's schema of the routes."""
    complete(openapi, body_schemas(version), with_api_key)
    for path, operations in openapi["paths"].items():
        describe_bodies(path, operations, version.contract)
    return openapi


def complete(openapi: dict[str, Any], schemas: dict[str, Any], with_api_key: bool) -> None:
    """Add the schemas by name, the API key if there is one, and what a request that fails gets."""
    components = openapi.setdefault("components", {})
    components["schemas"] = schemas
    if with_api_key:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        openapi["security"] = [{"key": []}]
    for operations in openapi["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status != "200":
                    response |= content(reference("ErrorBody"))


def describe_bodies(path: str, operations: dict[str, Any], contract: Contract, prefix: str = "") -> None:
    """Add the bodies of the requests and responses of a path, whose schemas have names with a prefix."""
    endpoint = path.rpartition("/")[2]
    if endpoint in _BODIES:
        request, response = (name if name in SHARED_SCHEMAS else f"{prefix}{name}" for name in _BODIES[endpoint])
        operations["post"]["requestBody"] = {"required": True, **content(reference(request))}
        operations["post"]["responses"]["200"] |= content(reference(response))
    if endpoint == "invocations":
        example = _example_record(contract)
        split = {"columns": list(example), "data": [list(example.values())]}
        invocation = {"type": "object", "properties": {"dataframe_split": {"type": "object"}}}
        operations["post"]["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {"schema": invocation, "example": {"dataframe_split": split}},
                "text/csv": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            },
        }


def reference(schema: str) -> dict[str, Any]:
    """A reference to a schema by its name."""
    return {"$ref": f"{SCHEMAS}{schema}"}


def content(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON body of a schema."""
    return {"content": {"application/json": {"schema": schema}}}
