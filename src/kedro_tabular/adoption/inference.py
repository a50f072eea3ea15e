"""Infer the contract from a table, with notes on what was assumed and warnings of what a person should check."""

from dataclasses import dataclass

import pandas as pd

from ..contract import Contract, ContractError, ReadOptions, TableValidator
from .checks import MAX_OUT_OF_RANGE, find_warnings, share_out_of_range, single_column_scores
from .columns import InferredColumn, infer_column, infer_time_column
from .options import Options, resolve_names
from .source import Source
from .target import Target, infer_target

MIN_ROWS = 100


@dataclass
class InferredContract:
    """The contract, and what else was inferred from the table."""

    contract: Contract
    read_options: ReadOptions
    table: pd.DataFrame  # rows with a target: contract, time and target in their types, group
    target: Target
    ids: list[str]
    group: list[str]  # columns whose rows of equal values stay in one part of the split
    scores: dict[str, float]  # of a model on each column by itself
    out_of_range: float  # share of rows with a number outside the range of other rows
    left_out: dict[str, str]  # column to reason
    notes: list[str]
    warnings: list[str]
    by: str | None = None  # the column whose values get a model each


def infer_contract(source: Source, options: Options) -> InferredContract:
    """The contract of a table.

    Raises:
        ContractError: a column of the options does not exist, or no model can be trained on the table.
    """
    options = resolve_names(source, options)
    target = infer_target(source.raw[options.target], options.task)
    if len(target.values) < MIN_ROWS:
        raise ContractError(
            f"{len(target.values)} rows with a target are too few to train, calibrate and test with: at "
            f"least {MIN_ROWS} are needed"
        )
    rows = source.raw[target.has_value].drop(columns=options.target)
    columns = {str(name): _infer_column(rows[name], options) for name in rows}
    left_out = {name: inferred.reason for name, inferred in columns.items() if inferred.column is None}
    features = {name: inferred for name, inferred in columns.items() if name not in left_out}
    if not features:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise ContractError(f"no column is left to predict from: {reasons}")
    contract = Contract(
        name=str(options.name),
        target=options.target,
        task=target.task,  # type: ignore[arg-type]
        time=options.time,
        columns={name: inferred.column for name, inferred in features.items() if inferred.column is not None},
    )
    values = {name: inferred.values for name, inferred in features.items()}
    group = _find_group(rows, options)
    columns_of_table = values | {options.target: target.values} | {name: rows[name] for name in group}
    table = TableValidator(contract.model_dump()).validate(pd.DataFrame(columns_of_table))
    scores = single_column_scores(values, target.values, target.task)
    out_of_range = share_out_of_range(table, contract)
    notes = [*source.notes, *(f"{options.target}: {note}" for note in target.notes)]
    notes += [f"{name}: {note}" for name, inferred in columns.items() for note in inferred.notes]
    return InferredContract(
        contract=contract,
        read_options=_add_formats(source.read_options, features, options.target, target),
        table=table,
        target=target,
        ids=list(options.ids) or _guess_ids(columns, source.raw),
        group=group,
        scores=scores,
        out_of_range=out_of_range,
        left_out=left_out,
        notes=notes + _range_notes(out_of_range),
        warnings=find_warnings(list(source.raw.columns), table, contract, scores) + _advise(columns, rows, options),
        by=options.by,
    )


def _range_notes(out_of_range: float) -> list[str]:
    if out_of_range <= MAX_OUT_OF_RANGE:
        return []
    rows = f"{out_of_range:.0%} of the rows have a number outside the range of the other rows"
    return [f"{rows}: the guard flags such rows, and the model predicts them"]


def _infer_column(values: pd.Series, options: Options) -> InferredColumn:
    if values.name == options.time:
        return infer_time_column(values)
    for names, option in ((options.drop, "--drop"), (options.ids, "--id")):
        if values.name in names:
            return InferredColumn(None, values, option)
    return infer_column(values, may_identify=values.name != options.by)


def _add_formats(
    read_options: ReadOptions, features: dict[str, InferredColumn], target_name: str, target: Target
) -> ReadOptions:
    numbers = {name: inferred.number_format for name, inferred in features.items() if inferred.number_format}
    if target.number_format:
        numbers[target_name] = target.number_format
    datetimes = {name: inferred.datetime_format for name, inferred in features.items() if inferred.datetime_format}
    return read_options.model_copy(update={"numbers": numbers, "datetimes": datetimes})


def _advise(columns: dict[str, InferredColumn], rows: pd.DataFrame, options: Options) -> list[str]:
    """Options that the table suggests, such as --time, and identifiers that repeat."""
    advice = []
    dates = [name for name, inferred in columns.items() if inferred.column and inferred.column.type == "datetime"]
    if dates and options.time is None:
        advice.append(
            f"the split is random, though there are dates, in {', '.join(map(repr, dates))}. If the model will predict "
            f"later rows than it is trained on: --time {dates[0]!r}"
        )
    if options.ids:
        repeats = _describe_repeats(rows, list(options.ids))
        if repeats:
            advice.append(f"{repeats}. An outcome is joined to all rows of its id: if they are copies, remove them")
    for name in [name for name, inferred in columns.items() if inferred.is_identifier]:
        repeats = _describe_repeats(rows, [name])
        if repeats:
            advice.append(
                f"{repeats}. If rows of one value belong together, keep them in one part of the split: --id {name!r}. "
                "If they are copies, remove them"
            )
    return advice


def _describe_repeats(rows: pd.DataFrame, names: list[str]) -> str:
    """How often identifiers repeat, with an example; empty if they do not."""
    counts = rows.groupby(names, sort=False).size()
    if counts.empty or counts.max() == 1:
        return ""
    repeated = int(counts[counts > 1].sum())
    most = counts.idxmax()
    example = ", ".join(map(str, most if isinstance(most, tuple) else [most]))
    return (
        f"{' and '.join(map(repr, names))}: {repeated:,} of {len(rows):,} rows share their value with others, for "
        f"example {example} is in {counts.max():,} rows"
    )


def _find_group(rows: pd.DataFrame, options: Options) -> list[str]:
    """The columns of --id, unless they are unique and the split is by time, in which they then have no part."""
    ids = list(options.ids)
    if not ids or (options.time and not rows.duplicated(ids).any()):
        return []
    return ids


def _guess_ids(columns: dict[str, InferredColumn], raw: pd.DataFrame) -> list[str]:
    """The first identifier that is unique."""
    return [name for name, inferred in columns.items() if inferred.is_identifier and raw[name].is_unique][:1]
