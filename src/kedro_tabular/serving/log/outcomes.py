"""Outcomes of predictions, from requests and from files, as rows of the prediction log."""

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from ...contract import Contract, ContractError, ReadOptions, read_table_file, to_classes
from ..errors import invalid_body, validation_error
from ..openapi import Outcomes
from ..parsing import Rows, rows_from_records, to_number
from .records import as_json, make_keys, utc_now


def parse_outcome_request(body: dict[str, Any], keys: list[str], contract: Contract) -> list[dict[str, Any]]:
    """The outcomes of a request.

    Raises:
        RequestError: naming the field that is wrong.
    """
    try:
        outcomes = Outcomes.model_validate(body).outcomes
    except ValidationError as error:
        raise validation_error("invalid_body", error.errors()) from None
    records = [outcome.key or {} for outcome in outcomes]
    row_keys = make_keys(rows_from_records(records, "outcomes", contract, keys), keys, contract)
    rows = []
    for position, (outcome, key) in enumerate(zip(outcomes, row_keys, strict=True)):
        if outcome.id is None and key is None:
            message = "an outcome needs the id of its prediction, or a value for each key column"
            raise invalid_body(message, f"outcomes.{position}", {"id": "string", "key": keys})
        reference = f"id:{outcome.id}" if outcome.id is not None else f"key:{key}"
        rows.append({"reference": reference, "time": utc_now(), "outcome": as_json(outcome.outcome)})
    return rows


def read_outcome_table(path: Path, keys: list[str], contract: Contract) -> list[dict[str, Any]]:
    """The outcomes of a file: the column `id` or the key columns, and the column `outcome` or else the target.

    Keys of a text file are text: `equivalent_references` finds predictions whose keys are numbers.

    Raises:
        ContractError: columns or values are missing, or the file is not readable.
    """
    table = read_table_file(path, ReadOptions())
    column = "outcome" if "outcome" in table else contract.target
    if column not in table:
        raise ContractError(f"{path.name} has no column outcome or {contract.target}: it has {list(table)}")
    by_id = "id" in table
    missing = [name for name in keys if name not in table]
    if not by_id and (missing or not keys):
        lacks = ", ".join(missing)
        raise ContractError(f"{path.name} needs the column id, or all of serving.log.keys: it lacks {lacks}")
    kind = "id" if by_id else "key"
    references = table["id"].tolist() if by_id else make_keys(Rows.from_table(table), keys, contract)
    incomplete = pd.isna(pd.Series(references, dtype=object)) | table[column].isna()
    if incomplete.any():
        rows = f"{incomplete.sum()} of {len(table)} rows have no outcome or no {kind}"
        raise ContractError(f"{path.name}: {rows}, the first is row {incomplete.argmax() + 1}; nothing is stored")
    now = utc_now()
    return [
        {"reference": f"{kind}:{reference}", "time": now, "outcome": as_json(outcome)}
        for reference, outcome in zip(references, _convert(table[column], contract), strict=True)
    ]


def _convert(values: pd.Series, contract: Contract) -> list[Any]:
    """Outcomes in the types of the target; what is no number stays text, also in a regression."""
    if contract.task == "classification":
        return [to_number(label) for label in to_classes(values)]
    numbers = pd.to_numeric(values.astype(object), errors="coerce")
    return numbers.astype(object).where(numbers.notna(), values).tolist()
