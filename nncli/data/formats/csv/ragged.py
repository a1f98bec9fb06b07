"""Repair records with another number of cells than the header, and leave out blank lines.

Empty cells behind the last column are left out. Other records are refused, or padded or skipped if configured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from nncli.base.errors import DataError, Location
from nncli.data.dialect import Ragged
from nncli.data.formats.csv.blocks import QUOTE, Block, outside_quotes, positions_of
from nncli.data.formats.csv.header import CsvHeader
from nncli.data.formats.csv.records import Records
from nncli.nn.arrays import Mask


@dataclass
class Repairs:
    """Counts what has been left out or padded: blank lines, those that no row has followed yet, and rows."""

    blank_lines: int = 0
    trailing_blank_lines: int = 0
    rows: dict[str, list[int]] = field(default_factory=dict)
    """For `padded` and `skipped`: the number of rows, and the line of the first."""

    def count_blank(self, blank: Mask) -> None:
        """Count the blank records of a block."""
        rows = np.flatnonzero(~blank)
        after = blank[rows[-1] + 1 :].size if rows.size else self.trailing_blank_lines + blank.size
        self.blank_lines, self.trailing_blank_lines = self.blank_lines + int(np.count_nonzero(blank)), after

    def count_rows(self, what: str, number: int, line: int) -> None:
        """Count rows that are padded or skipped; `line` is that of the first."""
        if number:
            self.rows.setdefault(what, [0, line])[0] += number

    @property
    def notes(self) -> list[str]:
        """What to tell the user about them."""
        between = self.blank_lines - self.trailing_blank_lines
        blank = ["skipped 1 blank line" if between == 1 else f"skipped {between:,} blank lines"] if between else []
        return blank + [
            f"{what} {number:,} {'row' if number == 1 else 'rows'} with another number of cells than the header, "
            + (f"on line {line:,}" if number == 1 else f"the first on line {line:,}")
            for what, (number, line) in self.rows.items()
        ]


def repair(
    block: Block, header: CsvHeader, row: int, ragged: Ragged, repairs: Repairs, *, reason: BaseException | None = None
) -> Block:
    """Remove blank lines and surplus cells from a block that Polars could not parse; pad or skip rows if configured.

    `row` is the number of the first row of the block.

    Raises:
        DataError: a record has the wrong number of cells, or the block cannot be parsed for another `reason`.
    """
    records = Records.of(block.data, block.quotes, header.separator)
    blank = records.blank & (len(header.names) > 1)
    different = np.flatnonzero(~blank & (records.counts != header.width))
    changes = {int(i): _without_surplus(records, int(i), block, header) for i in different}
    odd = [i for i, repaired in changes.items() if repaired is None]
    short = [i for i in odd if records.counts[i] < len(header.names)]
    if odd and (ragged == "refuse" or (ragged == "pad" and len(short) < len(odd))):
        first = next(i for i in odd if ragged == "refuse" or i not in set(short))
        before = int(np.count_nonzero(blank[:first]))
        raise _ragged_error(records, first, len(odd), block, header, row + first - before)
    if (reason and not changes) or not (changes or blank.any()):
        place = Location(source=header.source, line=block.line, row=row)
        raise DataError("the rows from here on are not a table", location=place) from reason
    for i in odd:
        missing = header.width - int(records.counts[i])
        changes[i] = records.bytes(i) + header.separator.encode() * missing + b"\n" if ragged == "pad" else b""
    if odd:
        line = block.line_at(int(records.starts[odd[0]]))
        repairs.count_rows("padded" if ragged == "pad" else "skipped", len(odd), line)
    repairs.count_blank(blank)
    changes |= dict.fromkeys(np.flatnonzero(blank).tolist(), b"")
    data = b"".join(_changed(records, changes))
    return Block(data, positions_of(data, QUOTE), block.line)


def _changed(records: Records, changes: dict[int, bytes | None]) -> Iterator[bytes]:
    """Yield the text of all records, with those that are changed."""
    start = 0
    for i in sorted(changes):
        yield records.data[start : records.starts[i]]
        yield changes[i] or b""
        start = int(records.ends[i]) + 1
    yield records.data[start:]


def _without_surplus(records: Records, i: int, block: Block, header: CsvHeader) -> bytes | None:
    """A record that has all columns, with as many empty cells behind them as it should have; None if it is another."""
    count, record = int(records.counts[i]), records.bytes(i)
    if count < len(header.names):
        return None
    separator = header.separator.encode()
    if count < header.width:
        return record + separator * (header.width - count) + b"\n"
    first, last = np.searchsorted(block.quotes, [records.starts[i], records.ends[i]])
    separators = outside_quotes(positions_of(record, separator[0]), block.quotes[first:last] - records.starts[i])
    end = int(separators[header.width - 1])
    return None if record[end:].strip(separator + b" \t") else record[:end] + b"\n"


def _ragged_error(records: Records, i: int, number: int, block: Block, header: CsvHeader, row: int) -> DataError:
    count, others = int(records.counts[i]), number - 1
    more = f"; {others:,} of the rows below {'differs' if others == 1 else 'differ'} too" if others else ""
    return DataError(
        f"the row has {count:,} {'cell' if count == 1 else 'cells'}, the header has {len(header.names):,}{more}",
        location=Location(source=header.source, line=block.line_at(int(records.starts[i])), row=row),
        hint="Quote cells that contain the separator, and write empty cells too (a,,c). `data.ragged: skip` leaves out "
        "such rows, `pad` fills short ones.",
    )
