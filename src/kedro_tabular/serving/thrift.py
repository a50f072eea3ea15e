"""Thrift's compact protocol, as far as Parquet uses it: values by the numbers of their fields.

See https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import Any

_EMPTY, _TRUE, _FALSE, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _LIST, _STRUCT = 0, 1, 2, 3, (4, 5, 6), 7, 8, 9, 12
_MAX_VALUES = 500_000  # that one reader reads


class ThriftReader:
    """Reads structs from bytes, one after the other. `at` is the position of the next byte.

    Raises:
        ValueError, IndexError: the bytes are not valid, or there are too many values.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.at = at
        self._data, self._values = data, 0

    def read_struct(self) -> dict[int, Any]:
        """The fields of a struct by number; None for texts and decimal numbers, which are not needed here."""
        fields: dict[int, Any] = {}
        number = 0
        while (byte := self._read_byte()) != _EMPTY:
            number = number + (byte >> 4) if byte >> 4 else self._read_integer()
            kind = byte & 15
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._read_value(kind)
        return fields

    def _read_value(self, kind: int) -> Any:
        self._values += 1
        if self._values > _MAX_VALUES:
            raise ValueError("too many values")
        if kind in _INTEGERS:
            return self._read_integer()
        if kind == _STRUCT:
            return self.read_struct()
        if kind == _LIST:
            return self._read_list()
        if kind == _BINARY:
            length = self._read_varint()  # before the position changes
            self.at += length
        elif kind in (_TRUE, _FALSE, _BYTE, _DOUBLE):
            self.at += 8 if kind == _DOUBLE else 1
        else:
            raise ValueError("a value of an unknown type")
        return None

    def _read_list(self) -> list[Any]:
        byte = self._read_byte()
        size = self._read_varint() if byte >> 4 == 15 else byte >> 4
        return [self._read_value(byte & 15) for _ in range(size)]

    def _read_byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _read_integer(self) -> int:
        value = self._read_varint()
        return (value >> 1) ^ -(value & 1)

    def _read_varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._read_byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number is too long")
