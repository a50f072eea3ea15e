"""A model for each value of a column: the folders of conf/models that `kedro adopt --by COLUMN` writes."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from ..config import POOLED, model_folder, to_name
from ..contract import Contract, ContractError
from ..evaluation import Parts
from ..files import load_yaml
from .changes import Changes
from .settings import MIN_CALIBRATED, choose_tolerance
from .yaml_edit import set_values

LIMIT, _ROWS = "segment_rows", 1000  # the parameter, and its value in conf/ of an earlier release
_FILE, _GATE = "parameters.yml", "parameters_packaging.yml"
_OWN = "# The rows with {column} = {value}. It states only what differs from conf/base.\n"
_ALL = "# All rows. It states only what differs from conf/base, so far nothing.\n{}\n"


def plan_models(
    contract: Contract,
    parts: Parts,
    column: str,
    parameters: dict[str, Any],
    changes: Changes,
    left_out: Mapping[str, str] | None = None,
) -> list[str]:
    """Plan a folder for each value of a column with rows enough, and one for all rows. Returns lines about it.

    The folders of models that there are already stay as they are.

    Args:
        contract: that of all rows.
        parts: the parts of the table; that of simulated production is not needed.
        column: the column whose values get a model each.
        parameters: of conf/base.
        changes: to which the files are added.
        left_out: why columns are not in the contract.

    Raises:
        ContractError: the column is not in the contract, or no value has rows enough.
    """
    if column not in contract.columns or contract.columns[column].type == "datetime":
        reason = (left_out or {}).get(column, "it is a date-time" if column in contract.columns else "it is no feature")
        raise ContractError(f"--by {column}: that is no feature column of text or numbers: {reason}")
    limit = int(parameters.get(LIMIT, _ROWS))
    counts = parts.train[column].value_counts()
    judged = set(parts.calibration[column].dropna()) & set(parts.test[column].dropna())
    chosen = sorted((value for value, rows in counts.items() if rows >= limit and value in judged), key=str)
    if not chosen:
        most = f"{counts.index[0]} has {counts.iloc[0]:,}" if len(counts) else "it has no values"
        raise ContractError(f"--by {column}: no value has {limit:,} training rows ({LIMIT}); {most}")
    _plan(changes, POOLED, _ALL)
    names: list[str] = []
    for value in chosen:
        names.append(to_name(_label(column, value), [POOLED, *names]))
        _plan(changes, names[-1], _render(column, value))
    _adjust_gate(changes, int(parts.test[column].value_counts().reindex(chosen).min()))
    others = [f"{_text(value)} ({rows:,})" for value, rows in counts.items() if value not in chosen]
    lines = [f"{len(names)} models by {column}: {', '.join(names)}; and {POOLED}, of all rows"]
    if others:
        why = f"fewer than {limit:,} training rows ({LIMIT}), or none in another part"
        lines.append(f"left to {POOLED}, with {why}: {', '.join(others)}")
    return lines


def _adjust_gate(changes: Changes, n_test: int) -> None:
    """Let the rules of the gate suit the smallest segment, with so many test rows, and not only all rows."""
    path = changes.project / "conf" / "base" / _GATE
    text = changes.texts.get(path) or path.read_text(encoding="utf-8")
    rules = load_yaml(text)["gate"]
    values: dict[tuple[str, ...], Any] = {}
    if rules.get("champion"):
        values["gate", "champion", "min_rows"] = max(10, min(rules["champion"]["min_rows"], n_test // 2))
        values["gate", "champion", "tolerance"] = max(rules["champion"]["tolerance"], choose_tolerance(n_test))
    if n_test < MIN_CALIBRATED:  # on fewer rows the calibration error is mostly noise
        values["gate", "max_calibration_error"] = None
    changes.write(path, set_values(text, values))


def _label(column: str, value: Any) -> str:
    """What the model of a value is called after: a number alone says little."""
    text = _text(value)
    return text if text[:1].isalpha() else f"{column}_{text}"


def _plan(changes: Changes, model: str, text: str) -> None:
    folder = model_folder(changes.project / "conf", model)
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
