"""Decide, from a user's table, what the contract says, and what has to be looked at by a person."""

from dataclasses import dataclass, field

import pandas as pd

from ..contract import Contract, ContractError, ReadOptions, TableValidator
from .columns import Found, look_at
from .leaks import measure_alone
from .names import registered_name
from .options import Options, in_names_of_the_table
from .ranges import MOST_OUTSIDE, share_outside
from .source import Source
from .target import Target, look_at_target
from .times import look_at_time
from .warnings import find_doubts

LEAST_ROWS = 100


@dataclass
class Decision:
    """What was decided, and why."""

    contract: Contract
    reading: ReadOptions
    table: pd.DataFrame  # columns of the contract, the time and the target in their types, rows with a target
    target: Target
    ids: list[str]
    alone: dict[str, float]  # how much each column says of the target by itself
    outside: float  # share of rows with a number outside the range of others
    left_out: dict[str, str] = field(default_factory=dict)  # column to reason
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def decide(source: Source, options: Options) -> Decision:
    """The contract of a table.

    Raises:
        ContractError: there is no such column, or nothing can be learnt from the table.
    """
    options = in_names_of_the_table(source, options)
    raw = source.raw
    target = look_at_target(raw[options.target], options.task)
    if len(target.values) < LEAST_ROWS:
        raise ContractError(
            f"{len(target.values)} rows with a target are too few to train, calibrate and test with: at "
            f"least {LEAST_ROWS} are needed"
        )
    rows = raw[target.has_value].drop(columns=options.target)
    found = {str(name): _look(rows[name], options) for name in rows}
    used = {name: one for name, one in found.items() if one.column is not None}
    if not used:
        raise ContractError(
            "no column is left to predict from: " + "; ".join(f"{n}: {f.why}" for n, f in found.items())
        )
    contract = Contract(
        name=registered_name(source.path.name.partition(".")[0]),
        target=options.target,
        task=target.task,  # type: ignore[arg-type]
        time=options.time,
        columns={name: one.column for name, one in used.items() if one.column is not None},
    )
    columns = {name: one.values for name, one in used.items()}
    table = TableValidator(contract.model_dump()).validate(pd.DataFrame(columns | {options.target: target.values}))
    alone = measure_alone(columns, target.values, target.task)
    decision = Decision(
        contract=contract,
        reading=_with_forms(source.reading, found, target, options.target),
        table=table,
        target=target,
        ids=list(options.ids) or _guess_ids(found, source),
        alone=alone,
        outside=share_outside(table, contract),
        left_out={name: one.why for name, one in found.items() if one.column is None},
        notes=[*source.notes, *(f"{options.target}: {note}" for note in target.notes)],
    )
    decision.notes += [f"{name}: {note}" for name, one in found.items() for note in one.notes]
    if decision.outside > MOST_OUTSIDE:
        told = f"{decision.outside:.0%} of the rows have some number outside the range of others"
        decision.notes.append(f"{told}: the model answers them all the same, with a flag")
    decision.warnings += find_doubts(list(raw.columns), table, contract, alone)
    return decision


def _look(values: pd.Series, options: Options) -> Found:
    name = str(values.name)
    if name == options.time:
        return look_at_time(values)
    if name in options.drop:
        return Found(name, None, values, "--drop")
    if name in options.ids:
        return Found(name, None, values, "--id")
    return look_at(values)


def _with_forms(reading: ReadOptions, found: dict[str, Found], target: Target, name: str) -> ReadOptions:
    numbers = {n: one.number for n, one in found.items() if one.number is not None and one.column is not None}
    if target.number is not None:
        numbers[name] = target.number
    dates = {n: one.dates for n, one in found.items() if one.dates is not None and one.column is not None}
    return reading.model_copy(update={"numbers": numbers, "datetimes": dates})


def _guess_ids(found: dict[str, Found], source: Source) -> list[str]:
    """The first column that tells all rows apart and was left out for it."""
    return [n for n, one in found.items() if one.identifies and source.raw[n].is_unique][:1]
