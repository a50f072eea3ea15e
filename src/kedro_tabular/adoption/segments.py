"""A model for each value of a column: the folders of conf/models that `kedro adopt --by COLUMN` writes."""

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..config import MODELS, POOLED, to_name
from ..contract import ContractError
from .changes import Changes
from .inference import InferredContract
from .split import Split

LIMIT, _ROWS = "segment_rows", 1000  # the parameter, and its value in conf/ of an earlier release
_FILE = "parameters.yml"
_OWN = "# The rows with {column} = {value}. It states only what differs from conf/base.\n"
_ALL = "# All rows. It states only what differs from conf/base, so far nothing.\n{}\n"


def plan_models(
    inferred: InferredContract, split: Split, column: str, parameters: dict[str, Any], changes: Changes
) -> list[str]:
    """Plan a folder for each value with rows enough, and one for all rows. Returns lines that say what was decided.

    The folders of models that there are already stay as they are.

    Raises:
        ContractError: the column is not in the contract, or no value has rows enough.
    """
    contract = inferred.contract
    if column not in contract.columns or contract.columns[column].type == "datetime":
        raise ContractError(f"--by {column}: that is no feature column of text or numbers; see `left out`")
    limit = int(parameters.get(LIMIT, _ROWS))
    counts = split.parts.train[column].value_counts()
    judged = set(split.parts.calibration[column].dropna()) & set(split.parts.test[column].dropna())
    chosen = sorted((value for value, rows in counts.items() if rows >= limit and value in judged), key=str)
    if not chosen:
        most = f"{counts.index[0]} has {counts.iloc[0]:,}" if len(counts) else "it has no values"
        raise ContractError(f"--by {column}: no value has {limit:,} training rows ({LIMIT}); {most}")
    folder = changes.project / "conf" / MODELS
    _plan(changes, folder / POOLED, _ALL)
    names: list[str] = []
    for value in chosen:
        names.append(to_name(_text(value), [POOLED, *names]))
        _plan(changes, folder / names[-1], _render(column, value))
    others = [f"{_text(value)} ({rows:,})" for value, rows in counts.items() if value not in chosen]
    lines = [f"{len(names)} models by {column}: {', '.join(names)}; and {POOLED}, of all rows"]
    if others:
        lines.append(f"fewer than {limit:,} training rows ({LIMIT}), left to {POOLED}: {', '.join(others)}")
    return lines


def _plan(changes: Changes, folder: Path, text: str) -> None:
    if not folder.exists():
        changes.write(folder / _FILE, text)


def _render(column: str, value: Any) -> str:
    table = {"table": {"where": {column: _plain(value)}}}
    return _OWN.format(column=column, value=_text(value)) + yaml.safe_dump(table, allow_unicode=True)


def _plain(value: Any) -> Any:
    """A value as YAML has it: whole numbers without decimals."""
    if isinstance(value, str):
        return value
    return int(value) if float(value).is_integer() else float(value)


def _text(value: Any) -> str:
    return str(_plain(value)) if not pd.isna(value) else "missing"
