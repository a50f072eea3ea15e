from .arrow import as_numbers, as_text, combine_chunks, parse_outcomes
from .contract import NO_TABLE, Column, ColumnType, Contract, ContractError
from .predictions import classes_of, is_probability, probability_column, score_columns
from .raw_values import NumberFormat, to_classes, to_datetimes, to_numbers
from .reasons import Action, RowReasons
from .rows import Values, check_rows, parse_datetime, to_columns
from .schema import ColumnsValidator, TableValidator
from .table_file import ReadOptions, apply_contract, file_format, mask_markers, open_workbook, read_table_file

__all__ = [
    "NO_TABLE",
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
    "as_numbers",
    "as_text",
    "check_rows",
    "classes_of",
    "combine_chunks",
    "file_format",
    "is_probability",
    "mask_markers",
    "open_workbook",
    "parse_datetime",
    "parse_outcomes",
    "probability_column",
    "read_table_file",
    "score_columns",
    "to_classes",
    "to_columns",
    "to_datetimes",
    "to_numbers",
]
