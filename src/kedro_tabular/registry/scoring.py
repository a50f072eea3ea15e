"""Score a table with the champion, chunk by chunk."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

import pandas as pd
import pyarrow as pa

from ..contract import Contract, ContractError
from ..datasets import TableChunks
from ..monitoring import INPUT
from ..parameters import ParameterError, Section
from .champion import Champion


class Inference(Section):
    """What the output has in addition to the predictions."""

    keep: list[str]


def score_chunks(
    inference_table: Iterable[pd.DataFrame] | pd.DataFrame,
    champion: Champion | None,
    contract: dict[str, Any],
    inference: dict[str, Any],
) -> TableChunks:
    """The champion's predictions of each chunk, computed lazily.

    Args:
        inference_table: tables of raw rows, with the columns of the champion's contract and of `keep`.
        champion: predicts raw rows.
        contract: `params:table`.
        inference: `params:inference`.

    Returns:
        Tables with one row for each input row: the columns of `keep`, those of the packaged model's predictions, and
        `model_version`. A column of `keep` with the name of an output column becomes `input.<name>`. Their types are
        those of the input and of the model's signature.

    Raises:
        ParameterError: there is no champion, or a column of `keep` is missing.
        ContractError: columns of the champion's contract are missing. Both before the first prediction.
    """
    keep = Inference.read("inference", inference).keep
    if champion is None:
        name = Contract.from_parameters(contract).name
        raise ParameterError(
            f"{name} has no champion: train one with `kedro run --pipeline=train`, or choose one of "
            "`kedro models` with `kedro promote VERSION`"
        )
    # most datasets load the table as a whole
    chunks = iter([inference_table] if isinstance(inference_table, pd.DataFrame) else inference_table)
    first = next(chunks, None)
    if first is None:
        raise ContractError("the table to score has no rows")
    missing = [name for name in keep if name not in first.columns]
    if missing:
        raise ParameterError(f"inference.keep in conf/: the table has no column {', '.join(missing)}")
    scored = _score(first, champion, keep)  # not lazily: an invalid table must leave no output
    schema = pa.schema([*_kept_types(inference_table, keep, scored), *champion.output_schema])
    return TableChunks(chain([scored], (_score(chunk, champion, keep) for chunk in chunks)), schema)


def _score(rows: pd.DataFrame, champion: Champion, keep: list[str]) -> pd.DataFrame:
    predictions = champion.predict(rows).assign(model_version=champion.version)
    kept = rows[keep].rename(columns=lambda name: INPUT + name if name in predictions else name)
    return pd.concat([kept, predictions], axis=1)


def _kept_types(inference_table: Any, keep: list[str], scored: pd.DataFrame) -> list[pa.Field]:
    """The types of the columns of `keep` under their names in the output, where the input has a schema."""
    if not isinstance(inference_table, TableChunks):
        return []
    fields = [inference_table.schema.field(name) for name in keep if name in inference_table.schema.names]
    return [field.with_name(INPUT + field.name) if INPUT + field.name in scored else field for field in fields]
