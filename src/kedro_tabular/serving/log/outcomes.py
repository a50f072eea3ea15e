"""Outcomes of predictions, from requests and from files, as rows of the prediction log."""

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from ...contract import Contract, ContractError, ReadOptions, read_table_file, to_classes, to_utc
from ..errors import invalid_body, validation_error
from ..openapi import Outcomes
from ..parsing import Rows, rows_from_records, to_number
from .records import as_json, make_keys, utc_now
from .tables import ID, KEY

_TIME = "outcome_time"
_PREDICTION_ID = re.compile("[ -~]{1,64}")


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
    try:
        row_keys = make_keys(rows_from_records(records, "outcomes", contract, keys), keys, contract)
    except ContractError as error:
        raise invalid_body(str(error), "outcomes", {"key": keys}) from None
    now, rows = utc_now(), []
    for position, (outcome, key) in enumerate(zip(outcomes, row_keys, strict=True)):
        if outcome.id is None and key is None:
            message = "an outcome needs the id of its prediction, or a value for each key column"
            raise invalid_body(message, f"outcomes.{position}", {"id": "string", "key": keys})
        reference = ID + outcome.id if outcome.id is not None else f"{KEY}{key}"
        time = now if outcome.outcome_time is None else to_utc(outcome.outcome_time, contract.zone)
        rows.append({"reference": reference, "time": time, "outcome": as_json(outcome.outcome)})
    return rows


def read_outcome_table(
    path: Path, keys: list[str], contract: Contract, missing: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The outcomes of a file: the column `id` or the key columns, and the column `outcome` or else the target.

    The column `outcome_time` says when they happened; without it, they happen now. `missing` are the file's
    missing-value markers. Keys of a text file are text: `equivalent_references` finds predictions whose keys are
    numbers.

    Raises:
        ContractError: columns or values are missing, or the file is not readable.
    """
    table = read_table_file(path, ReadOptions(missing=list(missing)), contract.zone)
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
    if by_id and (wrong := [value for value in references if not _PREDICTION_ID.fullmatch(str(value))]):
        raise ContractError(f"{path.name}: {len(wrong)} of {len(table)} ids are not those of predictions")
    values = zip(
        references, _read_times(table, path.name, contract.zone), _convert(table[column], contract), strict=True
    )
    return [
        {"reference": f"{kind}:{reference}", "time": time, "outcome": as_json(outcome)}
        for reference, time, outcome in values
    ]


def _read_times(table: pd.DataFrame, file: str, zone: tzinfo) -> list[datetime]:
    """The time of each outcome in UTC. Raises ContractError for what is no date-time."""
    now = utc_now()
    if _TIME not in table:
        return [now] * len(table)
    times = []
    for position, value in enumerate(table[_TIME].astype(object), start=1):
        try:
            time = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            time = None
        if not isinstance(time, datetime) or pd.isna(time):
            raise ContractError(f"{file}, row {position}: {_TIME} is not a date-time such as 2025-01-31T12:00:00")
        plain = time.to_pydatetime(warn=False) if isinstance(time, pd.Timestamp) else time
        times.append(to_utc(plain, zone))
    return times


def _convert(values: pd.Series, contract: Contract) -> list[Any]:
    """Outcomes in the types of the target; what is no number stays text, also in a regression."""
    if contract.task == "classification":
        return [to_number(label) for label in to_classes(values)]
    numbers = pd.to_numeric(values.astype(object), errors="coerce")
    return numbers.astype(object).where(numbers.notna(), values).tolist()
