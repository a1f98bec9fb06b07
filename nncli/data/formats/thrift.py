"""Structures of Thrift's compact protocol, in which Parquet files describe their pages.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any

from nncli.base.dataclass import dataclass

MAX_DEPTH = 16
BOOLEANS = {1: True, 2: False}
BYTE, INTEGERS, DOUBLE, BINARY, LISTS, MAP, STRUCT = 3, (4, 5, 6), 7, 8, (9, 10), 11, 12


class ThriftError(Exception):
    """The bytes are not a structure of the compact protocol."""


@dataclass
class ThriftReader:
    """Reads structures from `data`, from `position` on."""

    data: bytes
    position: int = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of a structure by their numbers.

        Raises:
            ThriftError: the bytes are not a structure.
        """
        fields: dict[int, Any] = {}
        data, number = self.data, 0
        try:
            while kind := data[self.position]:
                self.position += 1
                step, kind = kind >> 4, kind & 15
                number = number + step if step else self._signed()
                if kind in INTEGERS and (bits := data[self.position]) < 128:  # most are so short
                    self.position += 1
                    fields[number] = (bits >> 1) ^ -(bits & 1)
                else:
                    fields[number] = BOOLEANS[kind] if kind in BOOLEANS else self._value(kind, depth)
        except IndexError:
            raise ThriftError("it ends too early") from None
        self.position += 1
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ThriftError("it is nested too deeply")
        if kind in INTEGERS:
            return self._signed()
        if kind == BINARY:
            return self._bytes(self._unsigned())
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in LISTS:
            return self._list(depth + 1)
        if kind in (BYTE, *BOOLEANS):
            return self._byte()
        if kind == DOUBLE:
            return self._bytes(8)
        if kind == MAP:
            return self._map(depth + 1)
        raise ThriftError(f"there is no type {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._unsigned()
        self._check_left(count)
        return [self._value(head & 15, depth) for _ in range(count)]

    def _map(self, depth: int) -> list[tuple[Any, Any]]:
        count = self._unsigned()
        self._check_left(count)
        kinds = self._byte() if count else 0
        return [(self._value(kinds >> 4, depth), self._value(kinds & 15, depth)) for _ in range(count)]

    def _check_left(self, count: int) -> None:
        """Raise a ThriftError if there are fewer bytes: an item has at least one."""
        if count > len(self.data) - self.position:
            raise ThriftError("it ends too early")

    def _byte(self) -> int:
        self._check_left(1)
        self.position += 1
        return self.data[self.position - 1]

    def _bytes(self, count: int) -> bytes:
        self._check_left(count)
        self.position += count
        return self.data[self.position - count : self.position]

    def _unsigned(self) -> int:
        number = shift = 0
        while (byte := self._byte()) > 127:
            number |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ThriftError("an integer is too long")
        return number | byte << shift

    def _signed(self) -> int:
        number = self._unsigned()
        return (number >> 1) ^ -(number & 1)
