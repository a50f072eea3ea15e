"""The OpenAPI schema of a service with many models: the fields of each; those of one contract are described once."""

import copy
from collections.abc import Mapping
from typing import Any

import orjson

from .openapi import SCHEMAS, SHARED_SCHEMAS, Schema, body_schemas, complete, content, describe_bodies, reference

_NAME = "{name}"


def complete_many(openapi: dict[str, Any], models: Mapping[str, Schema | None], with_api_key: bool) -> dict[str, Any]:
    """Add paths of each model with its bodies to FastAPI's schema of the routes.

    Args:
        openapi: FastAPI's schema, in whose paths `{name}` stands for a model.
        models: what each model takes and returns; None if that is not known yet.
        with_api_key: whether requests must carry an API key.
    """
    paths = openapi["paths"]
    templates = {path: operations for path, operations in paths.items() if _NAME in path}
    schemas: dict[str, Any] = {}
    prefixes: dict[bytes, str] = {}  # of the schemas of each contract
    for name, version in models.items():
        if version is None:
            continue
        contract = orjson.dumps([version.contract.model_dump(mode="json", exclude={"name", "where"}), version.classes])
        if contract not in prefixes:
            prefixes[contract] = f"{name}_"
            schemas |= _add_prefix(body_schemas(version), f"{name}_")
        for path, operations in templates.items():
            own = paths[path.replace(_NAME, name)] = _of_model(operations, name)
            describe_bodies(path, own, version.contract, prefixes[contract])
    if all(version is not None for version in models.values()):
        for path in templates:
            del paths[path]
    _describe_routed(paths, list(prefixes.values()))
    complete(openapi, schemas, with_api_key)
    return openapi


def _of_model(operations: dict[str, Any], name: str) -> dict[str, Any]:
    """The operations of a path of one model, whose name is no parameter any more."""
    own = copy.deepcopy(operations)
    for operation in own.values():
        operation["operationId"] = f"{operation['operationId']}_{name}"
        operation["parameters"] = [one for one in operation.get("parameters", []) if one["in"] != "path"]
        operation["tags"] = [name]
    return own


def _add_prefix(schemas: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Schemas with names of their own, but for those that all contracts share."""
    text = orjson.dumps({prefix + name if name not in SHARED_SCHEMAS else name: one for name, one in schemas.items()})
    for name in schemas.keys() - SHARED_SCHEMAS:
        text = text.replace(f'"{SCHEMAS}{name}"'.encode(), f'"{SCHEMAS}{prefix}{name}"'.encode())
    found: dict[str, Any] = orjson.loads(text)
    return found


def _describe_routed(paths: dict[str, Any], prefixes: list[str]) -> None:
    """The paths whose rows and outcomes are of any model."""
    if "/outcomes" in paths and prefixes:
        outcomes = paths["/outcomes"]["post"]
        outcomes["requestBody"] = {"required": True, **content(reference("Outcomes"))}
        outcomes["responses"]["200"] |= content(reference("Stored"))
    if "/predict" in paths and prefixes:
        predict = paths["/predict"]["post"]
        rows = {"anyOf": [reference(f"{prefix}Rows") for prefix in prefixes]}
        predict["requestBody"] = {"required": True, **content(rows)}
        version = {"type": "object", "properties": {key: {"type": "string"} for key in ("model", "version")}}
        answer = {"anyOf": [reference(f"{prefix}Answer") for prefix in prefixes]}
        predictions = {"type": "array", "items": {"allOf": [answer, version]}}
        unknown = {"type": "array", "items": reference("UnknownField")}
        answers = {"predictions": predictions, "unknown_fields": unknown}
        predict["responses"]["200"] |= content({"type": "object", "properties": answers, "required": ["predictions"]})
