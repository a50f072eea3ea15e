"""A file whose format is known by its name only: find out how it has to be read, and read it."""

import codecs
import gzip
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ..contract import ContractError, ReadOptions, file_format, mask_markers, open_workbook, read_table_file
from .names import find_renames

_SEPARATORS = (",", ";", "\t", "|")
_HEAD = 1 << 16  # bytes that the separator is told by
_LINES = 20
# Texts that stand for no value wherever they are, and those that do so only among numbers or dates.
_MISSING = frozenset({"NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "Null", "null", "<NA>", "?"})
MISSING_IN_NUMBERS = frozenset({"-", "--", ".", "..", "None", "none", "unknown", "Unknown", "missing", "#DIV/0!"})


class Source(NamedTuple):
    """The user's file."""

    path: Path
    raw: pd.DataFrame  # its columns, still in the types of the file
    reading: ReadOptions
    notes: list[str]


def open_source(path: Path) -> Source:
    """Read a table of a known format, in whatever dialect.

    Raises:
        ContractError: there is no table in it, or none with a target and something to predict it from.
    """
    _refuse_what_is_no_table(path)
    how, notes = _guess(path)
    raw = read_table_file(path, ReadOptions.read("table", how))
    if raw.empty:
        raise ContractError(f"{path.name} has no rows")
    if len(raw.columns) < 2:
        raise ContractError(
            f"{path.name} has one column only, {raw.columns[0]!r}: there is nothing to predict it from. If "
            "it should have more, they are separated by something else than commas, semicolons, tabs or |"
        )
    renames = find_renames(list(raw.columns))
    notes += [f"{old!r} is called {new!r} here: {why}" for old, (new, why) in renames.items()]
    raw = raw.rename(columns={old: new for old, (new, _) in renames.items()})
    raw, counts = _mark_missing(raw)
    if counts:
        told = ", ".join(f"{text!r} ({n:,} times)" for text, n in counts.items())
        notes.append(f"read as no value: {told}")
    how |= {"rename": {old: new for old, (new, _) in renames.items()}, "missing": sorted(counts)}
    return Source(path, raw, ReadOptions.read("table", {key: value for key, value in how.items() if value}), notes)


def _refuse_what_is_no_table(path: Path) -> None:
    if not path.is_file():
        raise ContractError(f"there is no file {path}")
    if file_format(path) is None:
        read_table_file(path, ReadOptions())  # which says what is known
    if path.stat().st_size == 0:
        raise ContractError(f"{path.name} is empty")


def _guess(path: Path) -> tuple[dict[str, Any], list[str]]:
    suffix = file_format(path)
    if suffix in (".csv", ".tsv", ".tab", ".txt"):
        encoding = _encoding_of(path)
        with _opened(path) as file:
            head = codecs.getincrementaldecoder(encoding)().decode(file.read(_HEAD))
        notes = [] if encoding.startswith("utf") else ["read as Windows-1252 text: look whether umlauts are right"]
        return {"encoding": encoding, "separator": _separator_of(head)}, notes
    if suffix in (".xlsx", ".xlsm", ".xls", ".ods"):
        with open_workbook(path) as book:
            sheets = [str(name) for name in book.sheet_names]
        notes = [f"of the sheets {', '.join(sheets)} the first one is read"] if len(sheets) > 1 else []
        return {"sheet": sheets[0]}, notes
    return {}, []


def _opened(path: Path) -> Any:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _encoding_of(path: Path) -> str:
    with _opened(path) as file:
        content = file.read()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"


def _separator_of(head: str) -> str:
    """The separator that splits the first lines into equally many parts, into as many as possible."""
    lines = [line for line in head.splitlines() if line.strip()][:_LINES]

    def parts(separator: str) -> tuple[int, int]:
        counts = Counter(line.count(separator) for line in lines)
        in_header = lines[0].count(separator)
        return (counts[in_header] if in_header else 0, in_header)

    return max(_SEPARATORS, key=parts) if lines else ","


def _mark_missing(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The table with the texts that stand for no value taken out, and how often each was there."""
    counts: Counter[str] = Counter()
    for name in (name for name in raw if raw[name].dtype == "str"):
        found = raw[name].value_counts()
        counts.update({str(text): int(found[text]) for text in found.index.intersection(list(_MISSING))})
        numbers = _MISSING | MISSING_IN_NUMBERS
        rest = found.drop(found.index.intersection(list(numbers)))
        if len(rest) and pd.to_numeric(pd.Series(rest.index.astype(object)), errors="coerce").notna().all():
            more = found.index.intersection(list(MISSING_IN_NUMBERS))
            counts.update({str(text): int(found[text]) for text in more})
    return mask_markers(raw, list(counts)), dict(counts)
