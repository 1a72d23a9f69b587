"""Just enough of Thrift's compact protocol to read the index and the page headers of Parquet.

Arrow reads them as well. But it keeps the headers to itself, and believes what they say of sizes;
and where an index is damaged, asking it for the columns of a row group may end the process.
"""

from typing import Any

MOST_DEPTH = 8  # the index has 6

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)


class ThriftError(Exception):
    """The bytes are no such structure."""


class CutShortError(ThriftError):
    """The structure goes on beyond the bytes."""


def read_struct(data: bytes) -> tuple[dict[int, Any], int]:
    """The fields of a structure by number, and how many bytes it takes. Maps are left out.

    >>> read_struct(bytes([0x15, 0x04, 0x15, 0xC8, 0x01, 0x00, 0xFF]))
    ({1: 2, 2: 100}, 6)
    """
    reader = _Reader(data)
    return reader.struct(MOST_DEPTH), reader.at


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, depth: int) -> dict[int, Any]:
        if not depth:
            raise ThriftError("structures are nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 0x0F
            number = number + step if step else self._signed()
            fields[number] = self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in {TRUE, FALSE}:
            return kind == TRUE
        if kind in {I16, I32, I64}:
            return self._signed()
        if kind in {BYTE, DOUBLE, BINARY}:
            return self._bytes({BYTE: 1, DOUBLE: 8}.get(kind) or self._unsigned())
        if kind in {LIST, SET}:
            return self._list(depth)
        if kind == STRUCT:
            return self.struct(depth - 1)
        raise ThriftError(f"a field of type {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 != 15 else self._unsigned()
        if size > len(self._data):  # each takes a byte at least
            raise CutShortError("a list goes on beyond the bytes")
        kind = head & 0x0F
        if kind in {TRUE, FALSE}:  # which take a byte each in a list
            return [self._byte() == TRUE for _ in range(size)]
        return [self._value(kind, depth - 1) for _ in range(size)]

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

    def _unsigned(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ThriftError("a number of more than 64 bits")

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, size: int) -> bytes:
        found = self._data[self.at : self.at + size]
        if len(found) < size:
            raise CutShortError("it goes on beyond the bytes")
        self.at += size
        return found
