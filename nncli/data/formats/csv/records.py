"""The text of a CSV in blocks of whole records: where each record ends, its cells, and quotes that are misplaced.

A record ends at a newline that is not inside quotes, and a newline is outside quotes when an even number of quotes
precede it. The positions of the quotes are found once and kept with the block. Memory does not grow with the file.

Records with misplaced quotes are rewritten if they can be read in one way only, so that their quotes follow RFC 4180: a
quote within a cell that does not begin with one is a character of the cell: `24" screen`. A cell that begins with a
quote ends at a quote before a separator or a line end; if there are several of these, the number of cells decides.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nncli.base.errors import DataError, Location
from nncli.data.dialect import AUTO, Quote
from nncli.data.formats.csv.decoding import BINARY, BINARY_HINT, Readable
from nncli.data.formats.read_options import BLOCK_BYTES
from nncli.data.formats.streams import UTF8_HINT
from nncli.nn.arrays import ByteArray, BytePositions, Mask

MAX_RECORD_BYTES = 64 << 20
PIECE = 1 << 18
NEWLINE, RETURN, QUOTE = b'\n\r"'
NO_POSITIONS: BytePositions = np.empty(0, np.int64)


@dataclass(frozen=True)
class RecordBlock:
    """Whole records: `data` begins on line `line` of the file (from 1); `quotes` are the positions of its quotes."""

    data: bytes
    quotes: BytePositions
    line: int

    @classmethod
    def of(cls, data: bytes, line: int) -> RecordBlock:
        """The block of a text that begins with a record."""
        return cls(data, positions_of(data, QUOTE), line)

    def bytes(self) -> ByteArray:
        return np.frombuffer(self.data, np.uint8)

    def line_at(self, position: int) -> int:
        """The line of the file that contains the byte at `position`."""
        return self.line + self.data.count(b"\n", 0, position)

    @cached_property
    def newlines(self) -> int:
        """The number of newlines."""
        return count_of(self.bytes(), NEWLINE)

    def after(self, position: int) -> RecordBlock:
        """The records from `position` on."""
        first = int(np.searchsorted(self.quotes, position))
        return RecordBlock(self.data[position:], self.quotes[first:] - position, self.line_at(position))


def positions_of(data: bytes, byte: int) -> BytePositions:
    """The positions of `byte` in `data`."""
    # `in` is about ten times as fast if the byte does not occur, the common case.
    return np.flatnonzero(np.frombuffer(data, np.uint8) == byte) if bytes([byte]) in data else NO_POSITIONS


def count_of(text: ByteArray, byte: int) -> int:
    """The number of times `byte` occurs in `text`."""
    # Piece by piece, to stay in the cache: three times as fast as all at once.
    pieces = (text[start : start + PIECE] for start in range(0, text.size, PIECE))
    return sum(int(np.count_nonzero(piece == byte)) for piece in pieces)


def outside_quotes(where: BytePositions, quotes: BytePositions) -> BytePositions:
    """The positions among `where` that are not inside quotes."""
    return where[np.searchsorted(quotes, where) % 2 == 0] if quotes.size else where


def end_of_records(data: bytes, quotes: BytePositions, *, inside: bool) -> int:
    """The number of bytes of `data` up to its last newline outside quotes; `inside`: it begins within quotes."""
    end = data.rfind(b"\n")
    while end >= 0:
        before = int(np.searchsorted(quotes, end))
        if before % 2 == inside:
            return end + 1
        # This newline is inside a cell; the end of a record must precede the opening quote of the cell.
        end = data.rfind(b"\n", 0, int(quotes[before - 1])) if before else -1
    return 0


def blocks(
    file: Readable,
    source: str,
    *,
    size: int = BLOCK_BYTES,
    first: int | None = None,
    quoting: bool = True,
    line: int = 1,
    quote_repair: QuoteRepair | LiteralQuotes | None = None,
) -> Iterator[RecordBlock]:
    """Yield the text of `file` in blocks of about `size` bytes (the first: about `first`), each of whole records.

    The text begins on line `line` of the file. `quote_repair` rewrites quotes as RFC 4180 has them. The last block may
    lack its last newline. `quoting` is False for formats whose records are lines.

    Raises:
        DataError: a record is longer than MAX_RECORD_BYTES.
    """
    rest, rest_quotes = b"", NO_POSITIONS
    while data := file.read(first or size):
        first = None
        quotes = positions_of(data, QUOTE) if quoting else NO_POSITIONS
        cut = end_of_records(data, quotes, inside=rest_quotes.size % 2 == 1)
        quotes = np.concatenate([rest_quotes, quotes + len(rest)])
        if quote_repair is not None and quote_repair.is_needed(whole := rest + data if rest else data, quotes):
            records, consumed, _ = quote_repair.repair(whole, is_end=False)
            rest = whole[consumed:]
            rest_quotes = positions_of(rest, QUOTE)
            if records:
                yield RecordBlock.of(records, line)
            line += whole.count(b"\n", 0, consumed)
        elif cut:
            records = data if cut == len(data) and not rest else b"".join((rest, memoryview(data)[:cut]))
            block = RecordBlock(records, *split(quotes, len(rest) + cut)[:1], line)
            yield block
            line += block.newlines
            rest, rest_quotes = data[cut:], split(quotes, len(rest) + cut)[1]
        else:
            rest, rest_quotes = rest + data, quotes
        if len(rest) > MAX_RECORD_BYTES:
            raise_endless_record(RecordBlock(rest, rest_quotes, line), source)
    if rest and quote_repair is not None and quote_repair.is_needed(rest, rest_quotes):
        rest = quote_repair.repair(rest, is_end=True).data
        rest_quotes = positions_of(rest, QUOTE)
    if rest:
        yield RecordBlock(rest, rest_quotes, line)


def split(quotes: BytePositions, cut: int) -> tuple[BytePositions, BytePositions]:
    """The positions before `cut`, and the others relative to `cut`."""
    first = int(np.searchsorted(quotes, cut))
    return quotes[:first], quotes[first:] - cut


def raise_endless_record(block: RecordBlock, source: str) -> None:
    """Raise the DataError for a record that does not end within MAX_RECORD_BYTES."""
    raise DataError(
        f"the record that begins here is longer than {MAX_RECORD_BYTES >> 20} MiB",
        location=Location(source=source, line=block.line),
        hint="Most likely a quoted cell is never closed, or the file is not a text table."
        if block.quotes.size
        else "Most likely the file has no line ends, or is not a text table.",
    )


def check_utf8(block: RecordBlock, source: str) -> None:
    """Raise a DataError with the line and the byte if the block is not UTF-8."""
    try:
        block.data.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"the byte 0x{block.data[error.start]:02x} is not UTF-8 text",
            location=Location(source=source, line=block.line_at(error.start)),
            hint=BINARY_HINT if BINARY.search(block.data, 0, PIECE) else UTF8_HINT,
        ) from error


LINE_END = re.compile(rb"\r*\n|\r|\Z")
"""The end of a record; a repaired one ends with a newline."""
OPENED = re.compile(rb'[ \t]*"(?:[^"]++|"")*+')
MAX_QUOTES = 40
"""Largest number of quotes in a line that is rewritten."""
MAX_LOOKS = 4
"""So many times the bytes of a text are looked at for records that are then left out, as each may be long. From there
on nothing is changed."""


class Repaired(NamedTuple):
    """The records of a text, and the number of its bytes that they are.

    `unclear` are the positions in `data` of lines that were left out, because they can be read in several ways or in
    none. Each has become a blank line.
    """

    data: bytes
    consumed: int
    unclear: tuple[int, ...] = ()


@dataclass(frozen=True)
class QuoteRepair:
    """Rewrites records of a file with this separator and `width` cells in a record (None: not known yet).

    `omits_unclear`: a line that can be read in several ways, or in none, becomes a blank line. Else nothing is changed
    from it on, so that it is refused later.
    """

    separator: str
    width: int | None = None
    omits_unclear: bool = False

    def is_needed(self, data: bytes, quotes: BytePositions) -> bool:
        """Whether a quote opens within a cell, or closes and is not followed by the end of the cell."""
        return any(at.size for at in misplaced_quotes(data, quotes, self.separator))

    def repair(self, data: bytes, *, is_end: bool) -> Repaired:
        """The records of `data`, which begins with one. A record that does not end is left out unless `is_end`."""
        pieces: list[bytes] = []
        unclear: list[int] = []
        position, size, left = 0, 0, MAX_LOOKS * len(data)
        while (quote := data.find(b'"', position)) >= 0:
            start = data.rfind(b"\n", position, quote) + 1 or position
            pieces.append(data[position:start])
            size += start - position
            text, position = self._record(data, start, is_end=is_end)
            if text is None and self.omits_unclear and (left := left - (position - start)) > 0:
                unclear.append(size)
                end = LINE_END.search(data, start)
                assert end is not None
                text, position = b"\n", end.end()
            if text is None:
                rest = data[start:] if is_end else data[start : data.rfind(b"\n", start) + 1]
                return Repaired(b"".join([*pieces, rest]), start + len(rest), tuple(unclear))
            if not position:
                return Repaired(b"".join(pieces), start, tuple(unclear))
            pieces.append(text)
            size += len(text)
        stop = len(data) if is_end else max(data.rfind(b"\n") + 1, position)
        return Repaired(b"".join([*pieces, data[position:stop]]), stop, tuple(unclear))

    def _record(self, data: bytes, start: int, *, is_end: bool) -> tuple[bytes | None, int]:
        """The record at `start` and the position of the next one, 0 if it does not end.

        If it is unclear, None and the position up to which it was looked at.
        """
        cells: list[bytes] = []
        position = start
        mark = self.separator.encode()
        while True:
            if match := self._plain_cells.match(data, position):
                cells += match[0].replace(b'"', b'""').split(mark)[:-1]
                position = match.end()
            if match := self._quoted.match(data, position):
                cells.append(match[1])
            elif opened := OPENED.match(data, position):
                if not is_end and opened.end() == len(data):
                    return b"", 0
                return self._line(data, start, is_end=is_end) or (None, opened.end())
            else:
                match = self._plain.match(data, position)
                assert match is not None
                cells.append(match[0].replace(b'"', b'""'))
            position = match.end()
            if data[position : position + 1] != mark:
                break
            position += 1
        line_end = LINE_END.match(data, position)
        if line_end is None:
            return None, position
        if line_end.end() == len(data) and not line_end[0].endswith(b"\n") and not is_end:
            return b"", 0
        text = self._written(cells) if position > start else b""
        return text + (b"\n" if line_end[0] else b""), line_end.end()

    def _line(self, data: bytes, start: int, *, is_end: bool) -> tuple[bytes, int] | None:
        """The record that is the line at `start`, if its cells can be told in one way only."""
        match = re.compile(rb"[^\r\n]*").match(data, start)
        assert match is not None
        line_end = LINE_END.match(data, match.end())
        assert line_end is not None
        if line_end.end() == len(data) and not line_end[0].endswith(b"\n") and not is_end:
            return b"", 0
        line = match[0]
        if self.width is None or line.count(b'"') > MAX_QUOTES:
            return None
        ways = self._ways(line, 0, self.width)
        if len(ways) != 1:
            return None
        return self._written(ways[0]) + (b"\n" if line_end[0] else b""), line_end.end()

    def _ways(self, line: bytes, start: int, width: int) -> list[list[bytes]]:
        """At most two ways to split the line from `start` on into `width` cells."""
        if width == 0:
            return []
        ends: list[tuple[bytes, int]] = []
        mark = re.escape(self.separator.encode())
        if line[start : start + 1] == b'"':
            for match in re.finditer(rb'"(?=%s|$)' % mark, line[start + 1 :]):
                cell = line[start + 1 : start + 1 + match.start()]
                ends.append((cell if b'""' in cell else cell.replace(b'"', b'""'), start + 1 + match.end()))
        else:
            end = line.find(self.separator.encode(), start)
            end = len(line) if end < 0 else end
            ends.append((line[start:end].replace(b'"', b'""'), end))
        ways: list[list[bytes]] = []
        for cell, end in ends:
            if b'"' in cell.replace(b'""', b""):
                continue
            if end == len(line):
                ways += [[cell]] if width == 1 else []
            else:
                ways += [[cell, *rest] for rest in self._ways(line, end + 1, width - 1)]
            if len(ways) > 1:
                break
        return ways

    def _written(self, cells: list[bytes]) -> bytes:
        """The record with every cell in quotes that has to be."""
        if cells == [b""]:
            return b'""'  # without the quotes the line would be blank
        special = (b'"', b"\n", b"\r", self.separator.encode())
        quoted = (b'"' + cell + b'"' if any(mark in cell for mark in special) else cell for cell in cells)
        return self.separator.encode().join(quoted)

    @property
    def _quoted(self) -> re.Pattern[bytes]:
        """A cell in quotes, with blanks around them, and the end of the cell ahead."""
        blank = rb" *" if self.separator == "\t" else rb"[ \t]*"
        mark = re.escape(self.separator.encode())
        return re.compile(rb'%s"((?:[^"]++|"")*+)"%s(?=%s|[\r\n]|\Z)' % (blank, blank, mark))

    @property
    def _plain_cells(self) -> re.Pattern[bytes]:
        """Cells that do not begin with a quote, each with the separator behind it."""
        mark = re.escape(self.separator.encode())
        return re.compile(rb'(?:(?![ \t]*+")[^\r\n%s]*+%s)++' % (mark, mark))

    @property
    def _plain(self) -> re.Pattern[bytes]:
        return re.compile(rb"[^\r\n%s]*" % re.escape(self.separator.encode()))


@dataclass(frozen=True)
class LiteralQuotes:
    """Rewrites a text in which quotes are characters, so that every newline ends a record."""

    separator: str

    def is_needed(self, data: bytes, quotes: BytePositions) -> bool:
        """Whether there are quotes."""
        return quotes.size > 0

    def repair(self, data: bytes, *, is_end: bool) -> Repaired:
        """The records of `data`. A line that does not end is left out unless `is_end`."""
        end = len(data) if is_end else data.rfind(b"\n") + 1
        text = np.frombuffer(data, np.uint8, end)
        quotes = np.flatnonzero(text == QUOTE)
        marks = np.flatnonzero((text == ord(self.separator)) | (text == NEWLINE) | (text == RETURN))
        cells = np.unique(np.searchsorted(marks, quotes))
        bounds = np.concatenate([[-1], marks, [end]])
        # A quote at both ends of each cell that has some, and before each of these.
        where = np.concatenate([bounds[cells] + 1, quotes, bounds[cells + 1]])
        return Repaired(np.insert(text, where, QUOTE).tobytes(), end)


def quote_repair(separator: str, width: int | None, quote: Quote) -> QuoteRepair | LiteralQuotes:
    """What rewrites the quotes of a table with `width` cells in a record."""
    return LiteralQuotes(separator) if quote == "none" else QuoteRepair(separator, width)


def quotes_of(data: bytes, quote: Quote) -> BytePositions:
    """The positions of the quotes that may be around cells."""
    return NO_POSITIONS if quote == "none" else positions_of(data, QUOTE)


LINE_ENDS = re.compile(rb"(?<!\r)\r*+\n|\r")


@dataclass(frozen=True)
class Records:
    """The records of `data` that end at a newline or at the end of the text.

    `starts` and `ends` (records,) are byte positions, without the newline; `counts` (records,) are the numbers of
    cells; `blank` records have no byte but \\r. `data` are those of `text` with repaired quotes. `unclear` are the
    starts of blank records that are lines of `text` whose quotes can be read in several ways, or in none.
    """

    data: bytes
    starts: BytePositions
    ends: BytePositions
    counts: npt.NDArray[np.int64]
    blank: Mask
    text: bytes
    unclear: tuple[int, ...] = ()

    @classmethod
    def of(cls, data: bytes, quotes: BytePositions, separator: str) -> Records:
        """Split a text with the positions of its quotes."""
        text = np.frombuffer(data, np.uint8)
        ends = outside_quotes(positions_of(data, NEWLINE), quotes)
        if text.size and (not ends.size or ends[-1] != text.size - 1):
            ends = np.append(ends, text.size)
        starts = np.concatenate([np.zeros(min(ends.size, 1), np.int64), ends[:-1] + 1])
        separators = outside_quotes(positions_of(data, ord(separator)), quotes)
        counts = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
        blank = ends == starts
        for i in np.flatnonzero(text[np.minimum(starts, max(text.size - 1, 0))] == RETURN):
            blank[i] = not data[starts[i] : ends[i]].strip(b"\r")
        return cls(data, starts, ends, counts, blank, data)

    @classmethod
    def of_text(cls, data: bytes, separator: str, quote: Quote = AUTO) -> Records:
        """Split a whole text; quotes within cells are characters of these."""
        quotes = positions_of(data, QUOTE)
        if quote == "none":
            text, *_ = LiteralQuotes(separator).repair(data, is_end=True)
            return replace(cls.of(text, positions_of(text, QUOTE), separator), text=data)
        if not QuoteRepair(separator).is_needed(data, quotes):
            return cls.of(data, quotes, separator)
        width = None
        for _ in range(2):  # the other records tell the number of cells of those whose quotes are unclear
            clear, _, unclear = QuoteRepair(separator, width, omits_unclear=True).repair(data, is_end=True)
            records = replace(cls.of(clear, positions_of(clear, QUOTE), separator), text=data, unclear=unclear)
            counts = records.counts[~records.blank]
            width = int(np.bincount(counts).argmax()) if counts.size else None
        return records

    def __len__(self) -> int:
        return len(self.starts)

    def line(self, i: int) -> int:
        """The line of the text on which record `i` begins, from 1, or the last line if there is no such record."""
        return 1 + self.data.count(b"\n", 0, int(self.starts[i]) if i < len(self) else None)

    def position(self, i: int) -> int:
        """The position in `text` at which record `i` begins, or of the end of the text if there is no such record."""
        if i >= len(self):
            return len(self.text)
        if self.data is self.text:
            return int(self.starts[i])
        # Both have the same line ends, though these may be written in another way.
        number = len(LINE_ENDS.findall(self.data, 0, int(self.starts[i])))
        return [0, *(end.end() for end in LINE_ENDS.finditer(self.text))][number]

    def bytes(self, i: int) -> bytes:
        """The bytes of a record, without its line end."""
        return self.data[self.starts[i] : self.ends[i]].removesuffix(b"\r")


def split_record(record: bytes, separator: str) -> list[str]:
    """The cells of one record.

    Raises:
        csv.Error: a cell is longer than the csv module allows.
        UnicodeDecodeError: the record is not UTF-8.
    """
    return next(csv.reader(io.StringIO(record.decode(), newline=""), delimiter=separator), [])


DOUBLE_HINT = 'Write a cell that contains a quote in quotes, with the inner quote doubled: "5"" pipe".'
CLOSE_HINT = (
    "Add the quote that closes the cell, or remove the one at its beginning. If it belongs to the cell, write the cell "
    'in quotes, with the inner quote doubled: """yes, or no".'
)


def unify_line_ends(block: RecordBlock) -> RecordBlock:
    """The block with \\n for every \\r outside quotes that does not belong to a \\r\\n.

    In a table of several columns such a \\r can only end a record: within a cell it makes the number of cells differ.
    """
    if b"\r" not in block.data or not (lone := lone_returns(block)).size:
        return block
    data = bytearray(block.data)
    for position in lone.tolist():
        data[position] = NEWLINE
    return RecordBlock(bytes(data), block.quotes, block.line)


def lone_returns(block: RecordBlock) -> BytePositions:
    """The positions of carriage returns that are neither inside quotes nor followed by a newline."""
    returns, text = positions_of(block.data, RETURN), block.bytes()
    return outside_quotes(returns[text[np.minimum(returns + 1, text.size - 1)] != NEWLINE], block.quotes)


def check_strict_csv(block: RecordBlock, source: str, separator: str) -> None:
    """Raise a DataError if the block has a NUL byte, a lone carriage return or a misplaced quote."""
    data = block.data
    if b"\0" in data:
        line = block.line_at(data.index(b"\0"))
        hint = "Most likely the file is UTF-16 or not a text table. Save it as UTF-8."
        raise DataError("the text contains a NUL byte", location=Location(source=source, line=line), hint=hint)
    if b"\r" in data and (lone := lone_returns(block)).size:
        raise DataError(
            "the text contains a carriage return that does not end a line",
            location=Location(source=source, line=block.line_at(int(lone[0]))),
            hint="Save the file with Unix (\\n) or Windows (\\r\\n) line ends.",
        )
    if block.quotes.size:
        _check_quotes(block, source, separator)


def _check_quotes(block: RecordBlock, source: str, separator: str) -> None:
    """Raise a DataError at the first quote that is misplaced."""
    inside, after = misplaced_quotes(block.data, block.quotes, separator)
    start, message, hint = len(block.data), "", DOUBLE_HINT
    if after.size:
        start = int(block.quotes[np.searchsorted(block.quotes, after[0]) - 1])
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


def misplaced_quotes(data: bytes, quotes: BytePositions, separator: str) -> tuple[BytePositions, BytePositions]:
    """The quotes that open within a cell, and those that close one and are not followed by its end."""
    opening, closing, text = quotes[::2], quotes[1::2], np.frombuffer(data, np.uint8)
    before, after = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
    before[list(f'{separator}\n"'.encode())] = True
    after[list(f'{separator}\r\n"'.encode())] = True
    # What the text begins or ends with is a quote itself.
    inside = opening[~before[text[np.maximum(opening - 1, 0)]]]
    return inside, closing[~after[text[np.minimum(closing + 1, text.size - 1)]]]
