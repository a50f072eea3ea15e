"""What came of predictions: outcomes as requests and files bring them, made ready for the log."""

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from ...contract import Contract, ContractError, to_columns
from ..errors import RequestError, from_validation
from ..parsing import Rows, rows_from_records
from ..schema import Outcomes
from .records import as_json, make_keys, utc_now


def read_outcomes(body: dict[str, Any], keys: list[str], contract: Contract) -> list[dict[str, Any]]:
    """The rows of the log's outcomes that a request brings.

    Raises:
        RequestError: naming the field that is wrong.
    """
    try:
        given = Outcomes.model_validate(body).outcomes
    except ValidationError as error:
        raise from_validation("invalid_body", error.errors()) from None
    asked = [outcome.key or {} for outcome in given]
    made = make_keys(rows_from_records(asked, "outcomes", contract, keys), keys, contract)
    rows = []
    for position, (outcome, key) in enumerate(zip(given, made, strict=True)):
        reference = f"id:{outcome.id}" if outcome.id is not None else f"key:{key}"
        if outcome.id is None and key is None:
            raise RequestError(
                422,
                "invalid_body",
                "an outcome needs the id of its prediction, or a value for each key column",
                f"outcomes.{position}",
                {"id": "string", "key": keys},
            )
        rows.append({"reference": reference, "time": utc_now(), "outcome": as_json(outcome.outcome)})
    return rows


def read_outcome_table(path: Path, keys: list[str], contract: Contract) -> list[dict[str, Any]]:
    """The rows of the log's outcomes that a file brings: columns `id` or the key columns, and the target.

    Args:
        path: a CSV, Parquet or JSON-lines file.
        keys: the key columns.
        contract: names the target; a column `outcome` goes before it.

    Raises:
        ContractError: what the file lacks.
    """
    table = _read_table(path)
    column = "outcome" if "outcome" in table else contract.target
    if column not in table:
        raise ContractError(f"{path.name} has no column outcome or {contract.target}: it has {list(table)}")
    by_id = "id" in table
    absent = [name for name in keys if name not in table]
    if not by_id and (absent or not keys):
        raise ContractError(
            f"{path.name} needs the column id, or all of serving.log.keys: it lacks {', '.join(absent)}"
        )
    references = table["id"].tolist() if by_id else make_keys(Rows(to_columns(table), len(table)), keys, contract)
    values, kind = table[column].tolist(), "id:" if by_id else "key:"
    lacking = [n for n, (r, v) in enumerate(zip(references, values, strict=True)) if pd.isna(r) or pd.isna(v)]
    if lacking:
        raise ContractError(
            f"{path.name}: {len(lacking)} of {len(table)} rows lack the outcome or what it belongs to, the "
            f"first is row {lacking[0] + 1}; nothing is stored"
        )
    now = utc_now()
    return [
        {"reference": f"{kind}{reference}", "time": now, "outcome": as_json(value)}
        for reference, value in zip(references, values, strict=True)
    ]


def _read_table(path: Path) -> pd.DataFrame:
    readers: dict[str, Any] = {
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
        ".jsonl": lambda file: pd.read_json(file, lines=True, convert_dates=False),
    }
    if path.suffix not in readers:
        raise ContractError(f"{path.name}: outcomes are read from {', '.join(readers)}")
    try:
        table: pd.DataFrame = readers[path.suffix](path)
    except (ValueError, OSError) as error:
        raise ContractError(f"{path.name} can't be read: {error}") from error
    return table
