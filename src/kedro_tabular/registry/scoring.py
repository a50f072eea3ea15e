"""Score a table with the champion, chunk by chunk."""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Protocol

import pandas as pd

from ..contract import Contract, ContractError
from ..monitoring import INPUT
from ..parameters import ParameterError, Section


class Inference(Section):
    """What goes into the predictions beside the answers."""

    keep: list[str]


class Champion(Protocol):
    """What scoring needs of a registered version."""

    name: str
    version: str
    predict: Callable[[pd.DataFrame], pd.DataFrame]


def score_chunks(
    inference_table: Iterable[pd.DataFrame] | pd.DataFrame,
    champion: Champion | None,
    contract: dict[str, Any],
    inference: dict[str, Any],
) -> Iterable[pd.DataFrame]:
    """The champion's answers to each chunk, as they are asked for.

    Args:
        inference_table: tables of raw rows, with the columns of the champion's contract and of `keep`.
        champion: answers raw rows.
        contract: `params:table`.
        inference: `params:inference`.

    Returns:
        Tables with a row for each row: the columns of `keep`, those of the packaged model's answers, and
        `model_version`. A column of `keep` that is named like an answer becomes `input.<name>`.

    Raises:
        ParameterError: there is no champion, or a column of `keep` is missing.
        ContractError: columns of the champion's contract are missing. Both before there is any answer.
    """
    keep = Inference.read("inference", inference).keep
    if champion is None:
        name = Contract.from_parameters(contract).name
        raise ParameterError(
            f"{name} has no champion: train one with `kedro run --pipeline=train`, or choose one of "
            "`kedro models` with `kedro promote VERSION`"
        )
    # most datasets load it as a whole
    chunks = iter([inference_table] if isinstance(inference_table, pd.DataFrame) else inference_table)
    first = next(chunks, None)
    if first is None:
        raise ContractError("the table to score has no rows")
    missing = [name for name in keep if name not in first.columns]
    if missing:
        raise ParameterError(f"inference.keep in conf/: the table has no column {', '.join(missing)}")
    answered = _answer(first, champion, keep)  # now, so that a table that can't be scored leaves no output
    return chain([answered], (_answer(chunk, champion, keep) for chunk in chunks))


def _answer(rows: pd.DataFrame, champion: Champion, keep: list[str]) -> pd.DataFrame:
    answers = champion.predict(rows).assign(model_version=champion.version)
    kept = rows[keep].rename(columns=lambda name: INPUT + name if name in answers else name)
    return pd.concat([kept, answers], axis=1)
