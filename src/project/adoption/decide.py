"""Decide, from a user's table, what the contract says, and what has to be looked at by a person."""

import difflib
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from ..contract import Column, Contract, ContractError
from ..raw_values import to_datetimes
from ..table_file import Reading
from ..table_schema import TableValidator
from .columns import Found, look_at
from .leaks import MEASURE, SUSPECT, measure_alone
from .names import find_duplicates, registered_name
from .source import Source
from .target import Target, look_at_target

LEAST_ROWS = 100
_YEARS = (1600, 2200)
_FIRST_SECOND, _LAST_SECOND = 631_152_000, 4_102_444_800  # 1990 to 2100, in seconds since 1970


class Options(NamedTuple):
    """What the user said."""

    target: str
    time: str | None = None
    task: str | None = None
    ids: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


@dataclass
class Decision:
    """What was decided, and why."""

    contract: Contract
    reading: Reading
    table: pd.DataFrame  # columns of the contract, the time and the target in their types, rows with a target
    target: Target
    ids: list[str]
    alone: dict[str, float]  # how much each column says of the target by itself
    left_out: dict[str, str] = field(default_factory=dict)  # column to reason
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def decide(source: Source, options: Options) -> Decision:
    """The contract of a table.

    Raises:
        ContractError: there is no such column, or nothing can be learnt from the table.
    """
    options = _in_names_of_the_table(source, options)
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
    table = TableValidator(contract.model_dump()).validate(
        pd.DataFrame(columns | {options.target: target.values})
    )
    alone = measure_alone(columns, target.values, target.task)
    decision = Decision(
        contract=contract,
        reading=_with_forms(source.reading, found, target, options.target),
        table=table,
        target=target,
        ids=list(options.ids) or _guess_ids(found, source),
        alone=alone,
        left_out={name: one.why for name, one in found.items() if one.column is None},
        notes=[*source.notes, *(f"{options.target}: {note}" for note in target.notes)],
    )
    decision.notes += [f"{name}: {note}" for name, one in found.items() for note in one.notes]
    decision.warnings += _same_columns(list(raw.columns)) + _same_rows(decision)
    decision.warnings += _leaks({n: s for n, s in alone.items() if n != options.time}, target.task)
    return decision


def _in_names_of_the_table(source: Source, options: Options) -> Options:
    """The options with each column by its name in the table, which may not be that in the file."""

    def known(name: str, option: str) -> str:
        new = source.reading.rename.get(name, name)
        if new in source.raw:
            return new
        columns = [str(column) for column in source.raw.columns]
        near = difflib.get_close_matches(name, columns, n=3, cutoff=0.5)
        told = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(columns)}"
        raise ContractError(f"{source.path.name} has no column {name!r} ({option}); {told}")

    target = known(options.target, "--target")
    time = known(options.time, "--time") if options.time else None
    ids = tuple(known(name, "--id") for name in options.ids)
    drop = tuple(known(name, "--drop") for name in options.drop)
    for name, option in ((target, "--target"), *([(time, "--time")] if time else [])):
        if name in (*ids, *drop):
            raise ContractError(f"{name!r} can't be left out: it is the {option}")
    if target == time:
        raise ContractError(f"{target!r} can't be both the target and the time")
    return options._replace(target=target, time=time, ids=ids, drop=drop)


def _look(values: pd.Series, options: Options) -> Found:
    name = str(values.name)
    if name == options.time:
        return _look_at_time(values)
    if name in options.drop:
        return Found(name, None, values, "--drop")
    if name in options.ids:
        return Found(name, None, values, "--id")
    return look_at(values)


def _look_at_time(values: pd.Series) -> Found:
    """The column that orders the split. It must be a point in time in all rows."""
    if values.isna().any():
        raise ContractError(
            f"{values.isna().sum()} of {len(values)} rows have no {values.name!r} (--time): they can't be "
            "put in order. Fill the time in, or leave out --time for a random split"
        )
    found = look_at(values)
    if found.column is not None and found.column.type == "datetime":
        return found
    form = _form_of_numbers(found.values) if found.values.dtype.kind in "iuf" else None
    if form is None:
        why = found.why or f"it holds no points in time, for example {values.unique()[:3].tolist()}"
        raise ContractError(f"{values.name!r} (--time) can't put the rows in order: {why}")
    times = to_datetimes(values, form)
    notes = [f"{values.iloc[0]} is read as {times.iloc[0]}"]
    return Found(found.name, Column(type="datetime"), times, notes=notes, dates=form)


def _form_of_numbers(values: pd.Series) -> str | None:
    low, high = values.min(), values.max()
    if low >= _YEARS[0] and high <= _YEARS[1] and (values % 1 == 0).all():
        return "%Y"
    if low >= _FIRST_SECOND and high <= _LAST_SECOND:
        return "unix_s"
    if low >= _FIRST_SECOND * 1000 and high <= _LAST_SECOND * 1000:
        return "unix_ms"
    as_dates = pd.to_datetime(values.astype("int64").astype(str), format="%Y%m%d", errors="coerce")
    return "%Y%m%d" if as_dates.notna().all() else None


def _with_forms(reading: Reading, found: dict[str, Found], target: Target, name: str) -> Reading:
    numbers = {n: one.number for n, one in found.items() if one.number is not None and one.column is not None}
    if target.number is not None:
        numbers[name] = target.number
    dates = {n: one.dates for n, one in found.items() if one.dates is not None and one.column is not None}
    return reading.model_copy(update={"numbers": numbers, "datetimes": dates})


def _guess_ids(found: dict[str, Found], source: Source) -> list[str]:
    """The first column that tells all rows apart and was left out for it."""
    out = [
        n
        for n, one in found.items()
        if one.column is None and ("identifier" in one.why or "numbers" in one.why)
    ]
    return [name for name in out if source.raw[name].is_unique][:1]


def _same_rows(decision: Decision) -> list[str]:
    """A random split puts some of them into training and others into the test."""
    same = 0 if decision.contract.time else int(decision.table.duplicated().sum())
    told = f"{same:,} rows are the same as others: if no two cases can be, the tests will look too good"
    return [told] if same else []


def _same_columns(names: list[str]) -> list[str]:
    return [
        f"{original!r} is there twice: the second is called {name!r}. Is it the same? Then --drop it"
        for name, original in find_duplicates(names)
    ]


def _leaks(alone: dict[str, float], task: str) -> list[str]:
    return [
        f"{name!r} says nearly all of the target by itself ({MEASURE[task]} {score:.3f}). If it is known "
        f"only after the event, it leaks the answer: --drop {name!r}"
        for name, score in sorted(alone.items(), key=lambda item: -item[1])
        if score >= SUSPECT[task]
    ]


def values_of(column: Column) -> dict[str, Any]:
    """A column as conf/ writes it, without what is the default."""
    values = column.model_dump(exclude_defaults=True)
    return {key: int(v) if isinstance(v, float) and v.is_integer() else v for key, v in values.items()}
