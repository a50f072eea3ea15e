"""The size of the pages of a Parquet file, from their own headers: Arrow reads them, whatever the footer says.

A header is a struct in Thrift's compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md, and parquet.thrift for its fields).
"""

from typing import Any

_UNCOMPRESSED, _COMPRESSED = 2, 3  # fields of a page header: sizes in bytes
_ENCODINGS = ((5, 2), (8, 4))  # by the version of a data page: the field of its own header, and there the encoding
_DELTA_BYTE_ARRAY = 7
_PAGE = 1_000  # bytes that a page counts beside its values, so that the number of pages is limited, too
_EMPTY, _TRUE, _FALSE, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _STRUCT = 0, 1, 2, 3, (4, 5, 6), 7, 8, 12


def decoded_size(body: bytes, chunk: Any, most: float) -> int:
    """The bytes of the pages of a column chunk of pyarrow when they are decompressed; not all if there are over `most`.

    Raises:
        ValueError: a header is not valid, or texts are encoded by their differences, so that their size is not known.
    """
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < at:
        at = chunk.dictionary_page_offset
    end, size = min(at + chunk.total_compressed_size, len(body)), 0
    while at < end and size <= most:
        header, at = _read_struct(body, at)
        uncompressed, compressed = header.get(_UNCOMPRESSED, -1), header.get(_COMPRESSED, -1)
        if min(uncompressed, compressed) < 0:
            raise ValueError("a page has no size")
        if any(header.get(page, {}).get(field) == _DELTA_BYTE_ARRAY for page, field in _ENCODINGS):
            raise ValueError("the encoding DELTA_BYTE_ARRAY is not supported")
        size, at = size + uncompressed + _PAGE, at + compressed
    return size


def _read_struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """The fields of a struct by number, and the position after it."""
    fields: dict[int, Any] = {}
    number = 0
    while data[at] != _EMPTY:
        step, kind = data[at] >> 4, data[at] & 15
        at += 1
        if step:
            number += step
        else:
            number, at = _read_integer(data, at)
        fields[number], at = _read_value(data, at, kind)
    return fields, at + 1


def _read_value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    """A value and the position after it; None for kinds of values that are not needed here."""
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if kind in _INTEGERS:
        return _read_integer(data, at)
    if kind == _STRUCT:
        return _read_struct(data, at)
    if kind == _BINARY:
        length, at = _read_varint(data, at)
        return None, at + length
    if kind in (_BYTE, _DOUBLE):
        return None, at + (1 if kind == _BYTE else 8)
    raise ValueError("a page header has a field of an unknown type")


def _read_integer(data: bytes, at: int) -> tuple[int, int]:
    value, at = _read_varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number is too long")
