from . import predictions
from .arrow_columns import parse_outcomes, to_float_array, to_plain_array, to_string_array
from .contract import NO_TABLE, Column, ColumnType, Contract, ContractError
from .conversion import NumberFormat, to_classes, to_datetimes, to_numbers
from .predictions import (
    EXPLANATION,
    LOWER,
    PREDICTION,
    REASONS,
    SOURCE,
    UPPER,
    classes_of,
    is_probability,
    probability_column,
    score_columns,
)
from .reasons import Action, RowReasons
from .row_hashes import hash_rows, row_columns
from .rows import Values, check_rows, parse_datetime, to_columns
from .schema import ColumnsValidator, TableValidator
from .segments import describe_where, matches, select_segments
from .table_file import (
    ReadOptions,
    apply_contract,
    file_format,
    mask_markers,
    normalize_arrow_table,
    open_workbook,
    read_table,
    read_table_file,
)
from .time_zones import to_local, to_utc

__all__ = [
    "EXPLANATION",
    "LOWER",
    "NO_TABLE",
    "PREDICTION",
    "REASONS",
    "SOURCE",
    "UPPER",
    "Action",
    "Column",
    "ColumnType",
    "ColumnsValidator",
    "Contract",
    "ContractError",
    "NumberFormat",
    "ReadOptions",
    "RowReasons",
    "TableValidator",
    "Values",
    "apply_contract",
    "check_rows",
    "classes_of",
    "describe_where",
    "file_format",
    "hash_rows",
    "is_probability",
    "mask_markers",
    "matches",
    "normalize_arrow_table",
    "open_workbook",
    "parse_datetime",
    "parse_outcomes",
    "predictions",
    "probability_column",
    "read_table",
    "read_table_file",
    "row_columns",
    "score_columns",
    "select_segments",
    "to_classes",
    "to_columns",
    "to_datetimes",
    "to_float_array",
    "to_local",
    "to_numbers",
    "to_plain_array",
    "to_string_array",
    "to_utc",
]
