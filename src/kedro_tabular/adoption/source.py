"""The user's file: infer how it has to be read, and read it."""

import codecs
import gzip
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ..contract import ContractError, ReadOptions, file_format, mask_markers, open_workbook, read_table_file
from .names import find_renames

_SEPARATORS = (",", ";", "\t", "|")
_HEAD = 1 << 16  # bytes from which the separator is inferred
_LINES = 20
# Missing-value markers: in any column, and only among numbers.
_MISSING = ["NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "Null", "null", "<NA>", "?"]
_MISSING_NUMBERS = ["-", "--", ".", "..", "None", "none", "unknown", "Unknown", "missing", "#DIV/0!"]


class Source(NamedTuple):
    """The user's file."""

    path: Path
    raw: pd.DataFrame  # its columns, still in the types of the file
    read_options: ReadOptions
    notes: list[str]


def open_source(path: Path) -> Source:
    """Read a table of a known format, whatever its separator, encoding and missing-value markers.

    Raises:
        ContractError: it holds no table, or none with a target and a feature.
    """
    options, notes = _infer_format(path)
    raw = read_table_file(path, ReadOptions.read("table", options))
    if raw.empty:
        raise ContractError(f"{path.name} has no rows")
    if len(raw.columns) < 2:
        raise ContractError(
            f"{path.name} has only one column, {raw.columns[0]!r}: there is nothing to predict it from. Columns can be "
            "separated by commas, semicolons, tabs or |"
        )
    renames = find_renames(list(raw.columns))
    notes += [f"{old!r} is renamed to {new!r}: {reason}" for old, (new, reason) in renames.items()]
    new_names = {old: new for old, (new, _) in renames.items()}
    raw = raw.rename(columns=new_names)
    counts = _count_markers(raw)
    if counts:
        listed = ", ".join(f"{marker!r} ({n:,} times)" for marker, n in counts.items())
        notes.append(f"missing-value markers: {listed}")
    options |= {"rename": new_names, "missing": sorted(counts)}
    read_options = ReadOptions.read("table", {key: value for key, value in options.items() if value})
    return Source(path, mask_markers(raw, list(counts)), read_options, notes)


def _infer_format(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The read options that depend on the format, and notes on them."""
    if not path.is_file():
        raise ContractError(f"there is no file {path}")
    suffix = file_format(path)
    if suffix is not None and path.stat().st_size == 0:
        raise ContractError(f"{path.name} is empty")
    if suffix in (".csv", ".tsv", ".tab", ".txt"):
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read()
        encoding = _infer_encoding(content)
        head = codecs.getincrementaldecoder(encoding)().decode(content[:_HEAD])
        notes = ["read as Windows-1252: check that umlauts and accents are right"] if encoding == "cp1252" else []
        return {"encoding": encoding, "separator": _infer_separator(head)}, notes
    if suffix in (".xlsx", ".xlsm", ".xls", ".ods"):
        with open_workbook(path) as book:
            sheets = [str(name) for name in book.sheet_names]
        notes = [f"only the first of the sheets {', '.join(sheets)} is read"] if len(sheets) > 1 else []
        return {"sheet": sheets[0]}, notes
    return {}, []


def _infer_encoding(content: bytes) -> str:
    """Of the whole file: a head without umlauts does not show it. charset-normalizer takes short cp1252 for big5."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"


def _infer_separator(head: str) -> str:
    """The separator that splits most lines, and the header, into the largest number of fields.

    csv.Sniffer is misled by commas and quotes inside of text fields.
    """
    lines = [line for line in head.splitlines() if line.strip()][:_LINES]

    def fields(separator: str) -> tuple[int, int]:
        in_header = lines[0].count(separator)
        counts = Counter(line.count(separator) for line in lines)
        return (counts[in_header] if in_header else 0, in_header)

    return max(_SEPARATORS, key=fields) if lines else ","


def _count_markers(raw: pd.DataFrame) -> dict[str, int]:
    """How often each missing-value marker occurs."""
    counts: Counter[str] = Counter()
    for name in raw.columns[raw.dtypes == "str"]:
        values = raw[name].value_counts()
        others = values.drop([*_MISSING, *_MISSING_NUMBERS], errors="ignore")
        numbers = pd.to_numeric(others.index.to_series().astype(object), errors="coerce")
        numeric = len(numbers) and numbers.notna().all()
        markers = [*_MISSING, *_MISSING_NUMBERS] if numeric else _MISSING
        counts.update({marker: int(values[marker]) for marker in markers if marker in values})
    return dict(counts)
