"""A table in a file of a common format, brought into the form that the contract describes."""

import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import DatasetError
from pydantic import Field

from ..parameters import Section
from .contract import Contract, ContractError
from .raw_values import NumberFormat, simplify, to_classes, to_datetimes, to_numbers, to_text

logger = logging.getLogger(__name__)

_HEAD = 1000  # characters


class ReadOptions(Section):
    """How a file has to be read: what its format leaves open."""

    separator: str = ","  # of a text file
    encoding: str = "utf-8"
    sheet: str | int = 0  # of a workbook
    missing: list[str] = Field(default=[])  # texts that stand for no value, beside the empty one
    rename: dict[str, str] = Field(default={})  # columns that can't keep the name that they have in the file
    # columns of numbers that are written in a form of their own
    numbers: dict[str, NumberFormat] = Field(default={})
    # formats of dates that are not ISO 8601: of strftime, unix_s or unix_ms
    datetimes: dict[str, str] = Field(default={})


def file_format(path: Path) -> str | None:
    """The end of a file's name that tells its format, but for a compression's; None if none is known."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in _READERS else None


def read_table_file(path: Path, reading: ReadOptions) -> pd.DataFrame:
    """The columns of a file as `simplify` leaves them; those of a text file are all text.

    Raises:
        ContractError: the file is not what its name says.
        FileNotFoundError: there is none.
    """
    suffix = file_format(path)
    if suffix is None:
        raise ContractError(f"{path.name}: known are files that end in {', '.join(_READERS)}")
    try:
        frame = _READERS[suffix](path, reading)
    except (ValueError, UnicodeError, pa.ArrowException, zipfile.BadZipFile) as error:
        raise ContractError(f"{path.name} can't be read as {suffix}: {error}") from error
    frame.columns = [str(name) for name in frame.columns]
    frame = frame.rename(columns=reading.rename)
    simple = pd.DataFrame({name: simplify(frame[name]) for name in frame}, index=frame.index)
    return mask_markers(simple, ["", *reading.missing])


def mask_markers(frame: pd.DataFrame, texts: list[str]) -> pd.DataFrame:
    """The table with no value where one of these texts stands."""
    columns = {
        name: values.mask(values.isin(texts)) if values.dtype == "str" else values for name, values in frame.items()
    }
    return pd.DataFrame(columns, index=frame.index)


def _read_text(path: Path, reading: ReadOptions) -> pd.DataFrame:
    frame = pd.read_csv(
        path, sep=reading.separator, encoding=reading.encoding, dtype=str, keep_default_na=False, skipinitialspace=True
    )
    # Where rows have one value more than the header, as R writes them, pandas takes the first as the index.
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index(names="index")


def open_workbook(path: Path) -> pd.ExcelFile:
    """A workbook. Raises ContractError if it is none, DatasetError if what reads it is not installed."""
    try:
        from python_calamine import CalamineError
    except ImportError as error:
        raise DatasetError("to read workbooks, install the extra `excel` of pyproject.toml") from error
    try:
        return pd.ExcelFile(path, engine="calamine")
    except CalamineError as error:
        raise ContractError(f"{path.name} can't be read as a workbook: {error}") from error


def _read_workbook(path: Path, reading: ReadOptions) -> pd.DataFrame:
    with open_workbook(path) as book:
        return book.parse(reading.sheet, keep_default_na=False)


def _read_json(path: Path, reading: ReadOptions) -> pd.DataFrame:
    """One object a line; or, as some have it, all in one list."""
    with path.open(encoding=reading.encoding) as file:
        lines = file.read(_HEAD).lstrip().startswith("{")
    how: dict[str, Any] = {"dtype": False, "convert_dates": False, "encoding": reading.encoding}
    return pd.read_json(path, lines=lines, orient="records", **how)


def _read_parquet(path: Path, reading: ReadOptions) -> pd.DataFrame:
    frame = pq.ParquetFile(path).read().to_pandas(date_as_object=False)
    numbered = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    return frame if numbered else frame.reset_index()  # an index is a column like others


_READERS: dict[str, Callable[[Path, ReadOptions], pd.DataFrame]] = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), _read_text),
    ".parquet": _read_parquet,
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".ods"), _read_workbook),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), _read_json),
}


def apply_contract(raw: pd.DataFrame, contract: Contract, reading: ReadOptions) -> tuple[pd.DataFrame, int]:
    """The contract's columns in its types, all others as they are, and the number of rows without a target.

    A column that is missing is left to the validator to name.
    """
    types = {name: column.type for name, column in contract.columns.items()}
    if contract.time:
        types[contract.time] = "datetime"
    if contract.task == "regression":
        types[contract.target] = "number"
    has_target = raw[contract.target].notna() if contract.target in raw else pd.Series(True, raw.index)
    table = raw[has_target].reset_index(drop=True)
    made = {
        name: _converted(table[name], types[name], reading) if name in types else table[name] for name in table.columns
    }
    if contract.task == "classification" and contract.target in made:
        made[contract.target] = to_classes(made[contract.target])
    return pd.DataFrame(made), int((~has_target).sum())


def _converted(values: pd.Series, column_type: str, reading: ReadOptions) -> pd.Series:
    name = str(values.name)
    if column_type == "number":
        return to_numbers(values, reading.numbers.get(name))
    if column_type == "datetime":
        return to_datetimes(values, reading.datetimes.get(name))
    return to_text(values)
