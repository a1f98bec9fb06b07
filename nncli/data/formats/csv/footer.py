"""Leave out notes below a table, which are recognized when the file ends.

A note is a record with one cell at the end of the file, if something shows that it is no row whose other cells are
missing: it begins like a note, stands below a blank line, or is text in a column of numbers. Without such evidence the
record stays a row, or is refused as one that is too short.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from nncli.base.text import quote
from nncli.data.dialect import AUTO
from nncli.data.formats.csv.blocks import QUOTE, Block, positions_of
from nncli.data.formats.csv.layout import NO_NOTE, NOTE, TOTAL, Layout, first_note
from nncli.data.formats.csv.ragged import check_strict_csv
from nncli.data.formats.csv.records import Records, split_record
from nncli.data.formats.csv.titles import filled

MAX_RECORDS = 100
"""Largest number of records below a table."""
MAX_BYTES = 1 << 16
MAX_SHOWN = 60
NOTE_BYTES = re.compile(rb'\s*+(?:"\s*+)?+(?:[A-Za-z]{2,10}\b[^,;\t|]{0,20}[:=]|[*(\[]|\xe2\x80|\xc2\xa9)')
"""How the bytes of a note with separators in it may begin."""


@dataclass
class Footer:
    """Holds back the records at the end of each block that may be below the table.

    `rows` is their number if it is configured; else they are recognized. `notes` tell what was left out. The table of
    a trained model (`for_model`) has no configuration, so that they name no key.
    """

    layout: Layout
    source: str
    separator: str
    rows: int | str = AUTO
    for_model: bool = False
    notes: list[str] = field(default_factory=list)
    _held: bytes = b""

    def remove_from(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Yield the blocks without the records below the table."""
        if self.layout.width < 2 or self.rows == 0:
            yield from blocks
            return
        line, last = 0, b""
        for following in blocks:
            block = following
            if self._held:
                data = self._held + following.data
                block = Block(data, positions_of(data, QUOTE), line)
            start = self._start(block)
            self._held = block.data[start:]
            if self._held:
                line = block.line_at(start)
            if start:
                last = block.data[_start_of_record(block, start) : start]
                yield block if start == len(block.data) else _before(block, start)
        if self._held:
            block = Block(self._held, positions_of(self._held, QUOTE), line)
            start = 0 if self.rows != AUTO else self._start_of_notes(block)
            if not start and not last:
                start = len(block.data)  # there are no rows above
            self._describe(block.after(start))
            if start:
                last = block.data[_start_of_record(block, start) : start]
                yield _before(block, start)
        self._note_total(last)

    def _start(self, block: Block) -> int:
        """The position of the first record of those at the end that may be below the table."""
        position, number = len(block.data), 0
        limit = self.rows if isinstance(self.rows, int) else MAX_RECORDS
        while position and number < limit and len(block.data) - position < MAX_BYTES:
            start = _start_of_record(block, position)
            record = block.data[start:position]
            if self.rows == AUTO and not self._may_be_note(record):
                break
            number += self.rows == AUTO or bool(record.strip(b"\r\n"))
            position = start
        return position

    def _may_be_note(self, record: bytes) -> bool:
        separator = self.separator.encode()
        text = record.rstrip(b"\r\n")
        if record.count(separator) >= self.layout.width - 1 and not text.endswith(separator):
            return (
                NOTE_BYTES.match(text) is not None
                and NOTE.match(text.decode(errors="replace").lstrip('" ')) is not None
            )
        cells = self._cells(text)
        present = filled(cells)
        if len(present) > 1:
            return NOTE.match(present[0]) is not None
        return not present or bool(cells[0].strip())

    def _cells(self, record: bytes) -> list[str]:
        try:
            # A note is one line, and a quote that is not closed is no note but an error.
            is_line = not record.count(b'"') % 2 and b"\r" not in record and b"\n" not in record
            return split_record(record, self.separator) if is_line else NO_NOTE
        except (csv.Error, UnicodeDecodeError):
            return NO_NOTE

    def _start_of_notes(self, block: Block) -> int:
        """The position of the first record that is a note by evidence, or of the blank lines above; else the end."""
        records = Records.of(block.data, block.quotes, self.separator)
        first = first_note([self._cells(records.bytes(i)) for i in range(len(records))], self.layout.shape)
        return len(block.data) if first is None else int(records.starts[first])

    def _describe(self, block: Block) -> None:
        """Note the records that are left out."""
        check_strict_csv(block, self.source, self.separator)  # a record that does not end may be several rows
        records = Records.of(block.data, block.quotes, self.separator)
        if number := int(np.count_nonzero(~records.blank)):
            first = block.data.decode(errors="replace").lstrip('" \t\r\n' + self.separator).split("\n")[0]
            text = first.replace('""', '"').rstrip('" \t\r' + self.separator)
            shown = quote(text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…")
            many = "1 line" if number == 1 else f"{number:,} lines"
            self.notes.append(f"left out {many} below the table, from line {block.line:,} on: {shown}")

    def _note_total(self, record: bytes) -> None:
        present = filled(self._cells(record.rstrip(b"\r\n")))
        if self.rows == AUTO and present and TOTAL.fullmatch(present[0]):
            action = "remove the row" if self.for_model else "--set data.footer_rows=1"
            self.notes.append(
                f"the last row begins with {quote(present[0])}; to leave out a sum of the others, {action}"
            )


def _start_of_record(block: Block, end: int) -> int:
    """The position of the record that ends at `end`."""
    position = block.data.rfind(b"\n", 0, max(end - 1, 0))
    while position >= 0 and np.searchsorted(block.quotes, position) % 2:
        position = block.data.rfind(b"\n", 0, position)
    return position + 1


def _before(block: Block, end: int) -> Block:
    return Block(block.data[:end], block.quotes[: np.searchsorted(block.quotes, end)], block.line)
