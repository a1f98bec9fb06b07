"""Parquet files whose structures are taken apart, changed and put together again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

BYTE, DOUBLE, BINARY, LIST, STRUCT = 3, 7, 8, 9, 12
INTEGERS = (4, 5, 6)
NUMBERS = (-1, 0, 1, 2, 63, 127, 255, 65_536, 1 << 30, (1 << 31) - 1, -(1 << 31), (1 << 63) - 1, -(1 << 63))
"""Values of integers that readers are known to stumble over."""


@dataclass
class Field:
    """A value of Thrift's compact protocol, and its kind."""

    kind: int
    value: Any


class _Reader:
    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def _bytes(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def value(self, kind: int) -> Any:
        if kind == STRUCT:
            fields, number = dict[int, Field](), 0
            while head := self._bytes(1)[0]:
                number = number + (head >> 4) if head >> 4 else self.value(5)
                kind = head & 15
                fields[number] = Field(kind, None if kind < BYTE else self.value(kind))
            return fields
        if kind in INTEGERS:
            number = self._varint()
            return (number >> 1) ^ -(number & 1)
        if kind == LIST:
            head = self._bytes(1)[0]
            count = head >> 4 if head >> 4 < 15 else self._varint()
            return [Field(head & 15, self.value(head & 15)) for _ in range(count)]
        return self._bytes(self._varint() if kind == BINARY else 8 if kind == DOUBLE else 1)


def _varint(number: int) -> bytes:
    text = bytearray()
    while number >= 0x80:
        text.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*text, number))


def _written(field: Field) -> bytes:
    kind, value = field.kind, field.value
    if kind == STRUCT:
        parts, last = [], 0
        for number, inner in sorted(value.items()):
            parts.append(bytes([(number - last) << 4 | inner.kind]) + (b"" if inner.kind < BYTE else _written(inner)))
            last = number
        return b"".join(parts) + b"\0"
    if kind in INTEGERS:
        return _varint((value << 1) ^ (value >> 63))
    if kind == LIST:
        of = value[0].kind if value else BYTE
        head = bytes([len(value) << 4 | of]) if len(value) < 15 else bytes([0xF0 | of]) + _varint(len(value))
        return head + b"".join(map(_written, value))
    return _varint(len(value)) + value if kind == BINARY else bytes(value)


@dataclass
class ParquetParts:
    """The footer of a file, and the headers and bodies of the pages of each chunk of a column."""

    footer: Field
    pages: list[list[tuple[Field, bytes]]]

    @classmethod
    def of(cls, body: bytes) -> ParquetParts:
        """The parts of a valid file."""
        size = int.from_bytes(body[-8:-4], "little")
        footer = Field(STRUCT, _Reader(body[-8 - size : -8]).value(STRUCT))
        pages = []
        for chunk in _chunks(footer):
            meta = chunk.value[3].value
            at = min(meta[number].value for number in (9, 11) if number in meta)
            end, result = at + meta[7].value, []
            while at < end:
                reader = _Reader(body, at)
                header = Field(STRUCT, reader.value(STRUCT))
                at = reader.at + header.value[3].value
                result.append((header, body[reader.at : at]))
            pages.append(result)
        return cls(footer, pages)

    def place(self) -> list[bytes]:
        """The chunks as bytes; the footer says where they are."""
        at, written = 4, []
        for chunk, pages in zip(_chunks(self.footer), self.pages, strict=True):
            for number in (4, 5, 6, 7):  # the places of indexes, which are left out
                chunk.value.pop(number, None)
            meta, first = chunk.value[3].value, at
            for header, data in pages:
                is_dictionary = header.value[1].value == 2
                if is_dictionary and 11 in meta:
                    meta[11].value = at
                elif not is_dictionary and header is pages[0 if 11 not in meta else min(1, len(pages) - 1)][0]:
                    meta[9].value = at
                written.append(_written(header) + data)
                at += len(written[-1])
            meta[7].value = at - first
        return written

    def bytes(self, chunks: list[bytes]) -> bytes:
        """The file of these chunks."""
        footer = _written(self.footer)
        return b"".join((b"PAR1", *chunks, footer, len(footer).to_bytes(4, "little"), b"PAR1"))


def _chunks(footer: Field) -> list[Field]:
    return [chunk for group in footer.value[4].value for chunk in group.value[1].value]


def integers(field: Field) -> Iterator[Field]:
    """The integers in a field."""
    if field.kind in INTEGERS:
        yield field
    elif field.kind == STRUCT:
        for inner in field.value.values():
            yield from integers(inner)
    elif field.kind == LIST:
        for inner in field.value:
            yield from integers(inner)


def mutated_parquet(body: bytes, rng: Random) -> bytes:
    """A file of which a number or two in the headers of its pages or in its footer are others, or bytes of a page."""
    parts = ParquetParts.of(body)
    in_headers = rng.random() < 0.6
    if in_headers:
        _change(rng.choice([header for pages in parts.pages for header, _ in pages]), rng)
    if rng.random() < 0.3:
        pages = rng.choice(parts.pages)
        number = rng.randrange(len(pages))
        header, data = pages[number]
        if data:
            changed = bytearray(data)
            for _ in range(rng.choice((1, 1, 2, 5))):
                changed[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
            pages[number] = header, bytes(changed)
    chunks = parts.place()
    if not in_headers or rng.random() < 0.2:
        _change(parts.footer, rng)
    return parts.bytes(chunks)


def _change(field: Field, rng: Random) -> None:
    result = [*integers(field)]
    for _ in range(rng.choice((1, 1, 1, 2))):
        number = rng.choice(result)
        number.value = rng.choice((*NUMBERS, number.value - 1, number.value + 1, number.value * 1000, -number.value))
        number.value = max(min(number.value, (1 << 63) - 1), -(1 << 63))
