"""Reads tables from files of common formats, and converts their columns to the types of the contract."""

import io
import zipfile
from collections.abc import Callable, Collection
from datetime import UTC, tzinfo
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import DatasetError
from pydantic import Field

from ..parameters import Section
from .contract import Contract, ContractError
from .conversion import NumberFormat, normalize_dtype, to_classes, to_datetimes, to_numbers, to_text


class ReadOptions(Section):
    """What the format of a file leaves open."""

    separator: str = ","  # of a text file
    encoding: str = "utf-8"
    sheet: str | int = 0  # of a workbook
    missing: list[str] = Field(default=[])  # missing-value markers beside the empty text
    rename: dict[str, str] = Field(default={})  # new names of columns whose names in the file can't be used
    numbers: dict[str, NumberFormat] = Field(default={})  # by column, where numbers are formatted text
    datetimes: dict[str, str] = Field(default={})  # by column, where not ISO 8601: a strftime format, unix_s or unix_ms


def file_format(path: Path) -> str | None:
    """The suffix that names a file's format, without a compression's; None for an unknown format."""
    suffix = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    return suffix.lower() if suffix.lower() in _READERS else None


def read_table_file(path: Path, options: ReadOptions, zone: tzinfo = UTC) -> pd.DataFrame:
    """Read a file as `read_table` does. Raises ContractError also for an unknown format."""
    suffix = file_format(path)
    if suffix is None:
        raise ContractError(f"{path.name}: unknown format, the file name must end in one of {', '.join(_READERS)}")
    return read_table(path, suffix, options, zone=zone)


def read_table(
    source: Path | BinaryIO,
    suffix: str,
    options: ReadOptions,
    columns: Collection[str] | None = None,
    zone: tzinfo = UTC,
) -> pd.DataFrame:
    """Read a table: columns of a text file as text, others as `normalize_dtype` returns them.

    Args:
        source: a path, or an open binary file.
        suffix: of a known format, such as `.csv`.
        options: how to read it.
        columns: the names, in the file, of the columns to return if it has them; None for all.
        zone: the time zone to which date-times that have one are converted.

    Raises:
        ContractError: the content is not of that format.
    """
    try:
        frame = _READERS[suffix](source, options)
    except (ValueError, pa.ArrowException, zipfile.BadZipFile) as error:
        raise ContractError(f"{_name(source)} can't be read as {suffix}: {error}") from error
    if columns is not None:
        frame = frame.loc[:, frame.columns.isin(list(columns))]
    return _normalize(frame, options, zone)


def normalize_arrow_table(table: pa.Table, zone: tzinfo) -> pd.DataFrame:
    """The columns of an Arrow table as `read_table` returns those of a Parquet file."""
    return _normalize(_to_frame(table), ReadOptions(), zone)


def _normalize(frame: pd.DataFrame, options: ReadOptions, zone: tzinfo) -> pd.DataFrame:
    frame.columns = [str(name) for name in frame.columns]
    frame = frame.rename(columns=options.rename)
    normalized = pd.DataFrame({name: normalize_dtype(frame[name], zone) for name in frame}, index=frame.index)
    return mask_markers(normalized, ["", *options.missing])


def mask_markers(frame: pd.DataFrame, markers: list[str]) -> pd.DataFrame:
    """The table with missing values in place of the missing-value markers."""
    columns = {
        name: values.mask(values.isin(markers)) if values.dtype == "str" else values for name, values in frame.items()
    }
    return pd.DataFrame(columns, index=frame.index)


def _read_text(source: Path | BinaryIO, options: ReadOptions) -> pd.DataFrame:
    frame = pd.read_csv(
        source,
        sep=options.separator,
        encoding=options.encoding,
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
    )
    # pandas uses the first column as the index where rows have one value more than the header, as R writes them
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index(names="index")


def open_workbook(source: Path | BinaryIO) -> pd.ExcelFile:
    """Open a workbook. Raises ContractError if it is none, DatasetError if the library that reads it is missing."""
    try:
        from python_calamine import CalamineError
    except ImportError as error:
        raise DatasetError("to read workbooks, install the extra `excel` of pyproject.toml") from error
    try:
        return pd.ExcelFile(source, engine="calamine")
    except CalamineError as error:
        raise ContractError(f"{_name(source)} can't be read as a workbook: {error}") from error


def _read_workbook(source: Path | BinaryIO, options: ReadOptions) -> pd.DataFrame:
    with open_workbook(source) as book:
        return book.parse(options.sheet, keep_default_na=False)


def _read_json(source: Path | BinaryIO, options: ReadOptions) -> pd.DataFrame:
    content = source.read_bytes() if isinstance(source, Path) else source.read()
    text = content.decode(options.encoding)
    is_lines = text.lstrip().startswith("{")  # one object a line, else a list of objects
    return pd.read_json(io.StringIO(text), lines=is_lines, orient="records", dtype=False, convert_axes=False)


def _read_parquet(source: Path | BinaryIO, options: ReadOptions) -> pd.DataFrame:
    return _to_frame(pq.ParquetFile(source).read())


def _to_frame(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas(date_as_object=False)
    has_default_index = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    return frame if has_default_index else frame.reset_index()


def _name(source: Path | BinaryIO) -> str:
    return source.name if isinstance(source, Path) else "the input"


_READERS: dict[str, Callable[[Path | BinaryIO, ReadOptions], pd.DataFrame]] = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), _read_text),
    ".parquet": _read_parquet,
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".ods"), _read_workbook),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), _read_json),
}


def apply_contract(raw: pd.DataFrame, contract: Contract, options: ReadOptions) -> tuple[pd.DataFrame, int]:
    """Convert the contract's columns to its types; other columns stay as they are, and missing ones are ignored.

    Returns:
        The rows that have a target, and the number of the others.
    """
    types = {name: column.type for name, column in contract.columns.items()}
    if contract.time:
        types[contract.time] = "datetime"
    if contract.task == "regression":
        types[contract.target] = "number"
    has_target = raw[contract.target].notna() if contract.target in raw else pd.Series(True, raw.index)
    table = raw[has_target].reset_index(drop=True)
    for name in table.columns.intersection(list(types)):
        table[name] = _convert(table[name], types[name], options, contract.zone)
    if contract.task == "classification" and contract.target in table:
        table[contract.target] = to_classes(table[contract.target])
    return table, int((~has_target).sum())


def _convert(values: pd.Series, column_type: str, options: ReadOptions, zone: tzinfo) -> pd.Series:
    name = str(values.name)
    if column_type == "number":
        return to_numbers(values, options.numbers.get(name))
    if column_type == "datetime":
        return to_datetimes(values, options.datetimes.get(name), zone)
    return to_text(values)
