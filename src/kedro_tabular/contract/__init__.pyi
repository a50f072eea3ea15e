from .arrow import (
    as_numbers,
    as_text,
    combine_chunks,
    parse_outcomes,
)
from .contract import (
    NO_TABLE,
    Column,
    ColumnType,
    Contract,
    ContractError,
)
from .raw_values import (
    NumberFormat,
    to_classes,
    to_datetimes,
    to_numbers,
)
from .reasons import (
    Action,
    RowReasons,
)
from .rows import (
    Values,
    check_rows,
    parse_datetime,
    to_columns,
)
from .schema import (
    ColumnsValidator,
    TableValidator,
)
from .table_file import (
    ReadOptions,
    TableFileDataset,
    file_format,
    mask_markers,
    open_workbook,
    read_table_file,
)

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
    "TableFileDataset",
    "TableValidator",
    "Values",
    "as_numbers",
    "as_text",
    "check_rows",
    "combine_chunks",
    "file_format",
    "mask_markers",
    "open_workbook",
    "parse_datetime",
    "parse_outcomes",
    "read_table_file",
    "to_classes",
    "to_columns",
    "to_datetimes",
    "to_numbers",
]
