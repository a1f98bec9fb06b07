"""Repair records with another number of cells than the header, and leave out blank lines.

Empty cells behind the last column are left out. Other records are refused, or padded or skipped if configured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from nncli.base.errors import DataError, Location
from nncli.data.dialect import Ragged
from nncli.data.formats.csv.blocks import NEWLINE, QUOTE, RETURN, Block, outside_quotes, positions_of
from nncli.data.formats.csv.names import CsvHeader
from nncli.data.formats.csv.records import Records
from nncli.nn.arrays import BytePositions, Mask


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


DOUBLE_HINT = 'Write a cell that contains a quote in quotes, with the inner quote doubled: "5"" pipe".'
CLOSE_HINT = (
    "Add the quote that closes the cell, or remove the one at its beginning. If it belongs to the cell, write the cell "
    'in quotes, with the inner quote doubled: """yes, or no".'
)


def unify_line_ends(block: Block) -> Block:
    """The block with \\n for every \\r outside quotes that does not belong to a \\r\\n.

    In a table of several columns such a \\r can only end a record: within a cell it makes the number of cells differ.
    """
    lone = lone_returns(block)
    if not lone.size:
        return block
    data = bytearray(block.data)
    for position in lone.tolist():
        data[position] = NEWLINE
    return Block(bytes(data), block.quotes, block.line)


def lone_returns(block: Block) -> BytePositions:
    """The positions of carriage returns that are neither inside quotes nor followed by a newline."""
    returns = positions_of(block.data, RETURN)
    return outside_quotes(returns[~is_followed_by(block, returns, b"\n")], block.quotes) if returns.size else returns


def check_strict_csv(block: Block, source: str, separator: str) -> None:
    """Raise a DataError if the block has a NUL byte, a lone carriage return or a misplaced quote."""
    data = block.data
    if b"\0" in data:
        line = block.line_at(data.index(b"\0"))
        hint = "Most likely the file is UTF-16 or not a text table. Save it as UTF-8."
        raise DataError("the text contains a NUL byte", location=Location(source=source, line=line), hint=hint)
    lone = lone_returns(block)
    if lone.size:
        raise DataError(
            "the text contains a carriage return that does not end a line",
            location=Location(source=source, line=block.line_at(int(lone[0]))),
            hint="Save the file with Unix (\\n) or Windows (\\r\\n) line ends.",
        )
    if block.quotes.size:
        _check_quotes(block, source, separator)


def _check_quotes(block: Block, source: str, separator: str) -> None:
    """Raise a DataError at the first quote that is misplaced."""
    opening, closing = block.quotes[::2], block.quotes[1::2]
    inside = opening[~is_preceded_by(block, opening, f'{separator}\n"'.encode())]
    after = closing[~is_followed_by(block, closing, f'{separator}\r\n"'.encode())]
    start, message, hint = len(block.data), "", DOUBLE_HINT
    if after.size:
        start = int(opening[int(np.searchsorted(closing, after[0]))])
        message = "the quoted cell continues after its closing quote"
        if b"\n" in block.data[start : after[0]]:
            message = f"the quoted cell is not closed before line {block.line_at(int(after[0])):,}, where it continues"
            message += " after a quote"
            hint = CLOSE_HINT
    elif block.quotes.size % 2:
        start, message, hint = int(block.quotes[-1]), "the quoted cell is never closed", CLOSE_HINT
    if inside.size and inside[0] < start:
        start, message, hint = int(inside[0]), "there is a quote inside a cell that is not quoted", DOUBLE_HINT
    if message:
        raise DataError(message, location=Location(source=source, line=block.line_at(start)), hint=hint)


def is_followed_by(block: Block, at: BytePositions, allowed: bytes) -> Mask:
    """Mask of the positions `at` that are followed by an `allowed` byte; the end of the text counts as a quote."""
    text = block.bytes()
    is_allowed = np.zeros(256, np.bool_)
    is_allowed[list(allowed)] = True
    mask = is_allowed[text[np.minimum(at + 1, text.size - 1)]]
    if at.size and at[-1] == text.size - 1:
        mask[-1] = QUOTE in allowed
    return mask


def is_preceded_by(block: Block, at: BytePositions, allowed: bytes) -> Mask:
    """Mask of the positions `at` that are preceded by one of the `allowed` bytes, or by nothing."""
    is_allowed = np.zeros(256, np.bool_)
    is_allowed[list(allowed)] = True
    mask = is_allowed[block.bytes()[at - 1]]
    if at.size and at[0] == 0:
        mask[0] = True
    return mask
