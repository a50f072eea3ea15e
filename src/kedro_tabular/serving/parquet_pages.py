"""The footer of a Parquet file, and the size of its pages from their own headers: Arrow reads them, whatever the footer
says.

pyarrow has the footer, too, but its C++ code ends the process if the metadata of a row group or a column is not valid.
The numbers here are those of the fields in
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from typing import Any, NamedTuple

from .thrift import ThriftReader

_MAGIC = b"PAR1"
_ROW_GROUPS = 4  # of the footer
_COLUMNS, _N_ROWS = 1, 3  # of a row group
_META_DATA = 3  # of a column chunk
_COMPRESSED_SIZE, _DATA_OFFSET, _DICTIONARY_OFFSET = 7, 9, 11  # of its metadata
_PAGE_UNCOMPRESSED, _PAGE_COMPRESSED = 2, 3  # of a page header: sizes in bytes
_ENCODINGS = ((5, 2), (8, 4))  # by the version of a data page: the field of its own header, and there the encoding
_DELTA_BYTE_ARRAY = 7
_PAGE = 1_000  # bytes that a page counts beside its values, so that the number of pages is limited, too


class ColumnChunk(NamedTuple):
    """The place of the pages of one column in one row group, in bytes."""

    start: int
    size: int


class RowGroup(NamedTuple):
    """A row group with the chunks of its columns in their order."""

    n_rows: int
    columns: list[ColumnChunk]


def read_row_groups(body: bytes) -> list[RowGroup]:
    """The row groups of a Parquet file, by its footer. Raises ValueError, or another exception, if it is not valid."""
    length = int.from_bytes(body[-8:-4], "little")
    if body[-4:] != _MAGIC or length > len(body) - 8:
        raise ValueError("there is no footer")
    footer = ThriftReader(body, len(body) - 8 - length).read_struct()
    return [
        RowGroup(group[_N_ROWS], [_read_chunk(chunk[_META_DATA]) for chunk in group[_COLUMNS]])
        for group in footer[_ROW_GROUPS]
    ]


def _read_chunk(fields: dict[int, Any]) -> ColumnChunk:
    start, dictionary = fields[_DATA_OFFSET], fields.get(_DICTIONARY_OFFSET, 0)
    return ColumnChunk(dictionary if 0 < dictionary < start else start, fields[_COMPRESSED_SIZE])


def decoded_size(body: bytes, chunk: ColumnChunk, most: float) -> int:
    """The bytes of the pages of a column chunk when they are decompressed; not all if there are over `most`.

    Raises:
        ValueError: a header is not valid, or texts are encoded by their differences, so that their size is not known.
    """
    end, size = min(chunk.start + chunk.size, len(body)), 0
    reader = ThriftReader(body, chunk.start)
    while reader.at < end and size <= most:
        header = reader.read_struct()
        uncompressed, compressed = header.get(_PAGE_UNCOMPRESSED, -1), header.get(_PAGE_COMPRESSED, -1)
        if min(chunk.start, uncompressed, compressed) < 0:
            raise ValueError("a page has no size")
        if any(header.get(page, {}).get(field) == _DELTA_BYTE_ARRAY for page, field in _ENCODINGS):
            raise ValueError("the encoding DELTA_BYTE_ARRAY is not supported")
        size += uncompressed + _PAGE
        reader.at += compressed
    return size
