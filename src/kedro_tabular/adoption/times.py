"""The column that puts rows in order."""

import pandas as pd

from ..contract import Column, ContractError, to_datetimes
from .columns import Found, look_at

_YEARS = (1600, 2200)
_FIRST_SECOND, _LAST_SECOND = 631_152_000, 4_102_444_800  # 1990 to 2100, in seconds since 1970


def look_at_time(values: pd.Series) -> Found:
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
