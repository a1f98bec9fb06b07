"""Read CSV and TSV with cells as text, or raise an error that names the line.

Polars parses the text; this module rejects text that can be read in more than one way. Quoting follows RFC 4180, and
records end with \\n or \\r\\n. Rows that are too short, repeated names, lone carriage returns and NUL bytes are errors.

A blank line is skipped and not counted as a row, except in a table of one column, where it is an empty cell.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import IO, NamedTuple

import numpy as np
import polars

from nncli.data.arrays import Mask
from nncli.data.columns.parsing import exact_numbers, may_be_class_ids
from nncli.data.dialect import CsvDialect
from nncli.data.io.csv.blocks import (
    NEWLINE,
    NO_POSITIONS,
    QUOTE,
    RETURN,
    Block,
    blocks,
    check_utf8,
    outside_quotes,
    positions_of,
)
from nncli.data.io.csv.decoding import DecodedStream
from nncli.data.io.csv.encodings import UTF8
from nncli.data.io.csv.header import CsvHeader
from nncli.data.io.csv.layout import Layout, find_layout
from nncli.data.io.csv.numeric_columns import NumericParser, is_rectangular
from nncli.data.io.csv.sniffer import sniff_dialect
from nncli.data.io.csv.strict import check_strict_csv
from nncli.data.io.prefetch import prefetch_map
from nncli.data.io.read_options import ReadOptions
from nncli.data.io.streams import POLARS_ERRORS
from nncli.data.table import Table, unnamed
from nncli.errors import DataError, Location, reraise_out_of_memory


class ParseAttempt(NamedTuple):
    """The result of parsing the numeric columns of a block with `parser`; None if it must be parsed as text."""

    parser: NumericParser | None
    cells: polars.DataFrame | None


@dataclass
class BlankLines:
    """Counts skipped blank lines, and those of them that no row has followed yet."""

    total: int = 0
    trailing: int = 0

    def count(self, blank: Mask) -> None:
        """Count the blank records of a block."""
        rows = np.flatnonzero(~blank)
        after = blank[rows[-1] + 1 :].size if rows.size else self.trailing + blank.size
        self.total, self.trailing = self.total + int(np.count_nonzero(blank)), after

    def __str__(self) -> str:
        between = self.total - self.trailing
        return "" if not between else "1 blank line" if between == 1 else f"{between:,} blank lines"


def read_delimited(
    file: IO[bytes],
    source: str,
    options: ReadOptions,
    *,
    default_separator: str | None = None,
    workers: int = 0,
) -> Iterator[Table]:
    """Yield a table for each block of the text, with cells as text; at least one table, which may have no rows.

    An empty cell is "", and a cell that equals a missing value is null. Columns that `options.numbers` allows may be
    Float64; see numeric_columns.py. For `default_separator` see `sniff_dialect`. The first table has the notes about
    the dialect; a last table without rows has the note about skipped lines. `workers` threads parse the next blocks
    ahead of time; with 0 nothing is read ahead.

    Raises:
        DataError: the text is not a valid table; see also `blocks` and `sniff_dialect`.
    """
    text = DecodedStream(file, source, options.dialect.encoding, options.fallback_encoding)
    encoding = text.encoding
    dialect, notes = sniff_dialect(
        text,
        source,
        options.dialect,
        default_separator=default_separator,
        training_dialect=options.training_dialect,
    )
    layout = find_layout(text, source, dialect, options.training_dialect)
    dialect = dialect.model_copy(update={"header_cells": layout.header_cells})
    notes = (*notes, *layout.notes)
    parser = _BlockParser(source, dialect, options, layout, old_mac=text.old_mac)
    text.read(layout.start)
    pieces = blocks(text, source, size=options.block_bytes, first=options.first_bytes, line=layout.line)
    for block, attempt in prefetch_map(pieces, parser.attempt, workers):
        row = parser.row
        cells = parser.cells(block, attempt)
        if cells.height:
            yield Table(cells, source, row, dialect=dialect, notes=notes)
            notes = ()
    if text.encoding not in (encoding, UTF8):
        notes = (*notes, f"{source}: read with encoding {text.encoding}")
    if skipped := str(parser.blank_lines):
        notes = (*notes, f"{source}: skipped {skipped}")
    if parser.row == 1 or notes:
        yield Table(parser.header.no_rows(), source, parser.row, dialect=dialect, notes=notes)


class _BlockParser:
    """Parses the blocks of one file in their order. `row` is the number of the next row."""

    def __init__(
        self, source: str, dialect: CsvDialect, options: ReadOptions, layout: Layout, *, old_mac: bool
    ) -> None:
        self._source, self._dialect, self._options = source, dialect, options
        self._may_be_numbers = dialect.has_plain_numbers and not old_mac
        self.row, self.blank_lines = 1, BlankLines()
        self.header = CsvHeader(
            source, dialect.separator, layout.names, layout.width, options.missing_values, old_mac=old_mac
        )
        if self._may_be_numbers and options.numbers.names and not options.numbers.inverted:
            self.header = replace(self.header, parser=self._numeric_parser(options.numbers.names))

    def _numeric_parser(self, numbers: Collection[str], *, exact_only: bool = False) -> NumericParser:
        header = self.header
        names = [*header.names, *[None] * (header.width - len(header.names))]
        return NumericParser(names, numbers, header.missing_values, header.separator, exact_only=exact_only)

    def attempt(self, block: Block) -> ParseAttempt:
        """Parse the numeric columns of a block, if they are known. Thread-safe."""
        parser = self.header.parser
        return ParseAttempt(parser, parser.cells(block) if parser and block.data else None)

    def cells(self, block: Block, attempt: ParseAttempt) -> polars.DataFrame:
        """The cells of the next block. The attempt is repeated if earlier blocks have changed the parser since.

        Raises:
            DataError: the block is not a valid part of a table.
        """
        header = self.header
        check_strict_csv(block, self._source, header.separator)
        if attempt.parser is not header.parser:
            attempt = self.attempt(block)
        skipped = self.blank_lines.total
        cells = finalize(attempt, block, header, self.row, self.blank_lines)
        if cells.height:
            if self._may_be_numbers and self._options.numbers.inverted:
                cells = self._find_numbers(header, cells)
            self.blank_lines.trailing = 0 if skipped == self.blank_lines.total else self.blank_lines.trailing
        self.row += cells.height
        return cells

    def _find_numbers(self, header: CsvHeader, cells: polars.DataFrame) -> polars.DataFrame:
        """The cells, with columns of plain numbers as Float64; later blocks are parsed with these as numbers.

        A column that was expected to be numbers and is not stays text from here on, so that other columns do not have
        to be parsed as text because of it.
        """
        parser = header.parser
        if parser is None:
            candidates = {*header.names} - self._options.numbers.names
        else:
            candidates = {*parser.numbers} if parser.is_active else set()
        texts = [name for name in header.names if name in candidates and cells[name].dtype == polars.String]
        if not texts:
            return cells
        numbers = exact_numbers(cells[texts], self._dialect)
        if parser is None:
            class_ids = self._options.class_ids
            numbers = {
                name: x for name, x in numbers.items() if name not in class_ids or not may_be_class_ids(unnamed(x))
            }
        if parser is None or len(numbers) < len(texts):
            parser = self._numeric_parser(numbers, exact_only=True)
        self.header = replace(header, parser=parser)
        return cells.with_columns(numbers.values())


def finalize(
    attempt: ParseAttempt, block: Block, header: CsvHeader, row: int, blank_lines: BlankLines
) -> polars.DataFrame:
    """The cells of a block from a successful attempt, or else as text."""
    if attempt.parser is None or not attempt.parser.is_active or not block.data:
        return parse(block, header, row, blank_lines)
    succeeded = attempt.cells is not None and header.row_with_surplus(attempt.cells) is None
    attempt.parser.record_outcome(succeeded=succeeded)
    return (
        header.named(attempt.cells)
        if succeeded and attempt.cells is not None
        else parse(block, header, row, blank_lines)
    )


def parse(block: Block, header: CsvHeader, row: int, blank_lines: BlankLines) -> polars.DataFrame:
    """Parse a block as text; `row` is the number of its first row."""
    if not block.data:
        return header.no_rows()
    # With our own header, Polars neither renames columns nor skips leading blank lines.
    numbered = header.separator.join(map(str, range(header.width))) + "\n"
    # With a line end, Polars rejects surplus cells in the last row instead of dropping them.
    end = b"" if block.data.endswith(b"\n") else b"\n"
    text = b"".join((numbered.encode(), block.data, end))
    try:
        cells = polars.read_csv(io.BytesIO(text), separator=header.separator, infer_schema=False)
    except POLARS_ERRORS as error:
        reraise_out_of_memory(error)
        check_utf8(block, header.source)
        return parse(without_blank_lines(block, header, row, blank_lines, reason=error), header, row, blank_lines)
    if is_rectangular(block, cells, header.separator):
        if (surplus := header.row_with_surplus(cells)) is not None:
            raise DataError(
                f"the row has a cell behind the last of the {len(header.names):,} columns",
                location=Location(source=header.source, row=row + surplus),
                hint="Name its column in the header, or quote cells that contain the separator.",
            )
        return header.finalize(cells)
    return parse(without_blank_lines(block, header, row, blank_lines), header, row, blank_lines)


def without_blank_lines(
    block: Block, header: CsvHeader, row: int, blank_lines: BlankLines, *, reason: BaseException | None = None
) -> Block:
    """Remove blank lines from a block that Polars could not parse.

    Raises:
        DataError: a record has the wrong number of cells, or the block cannot be parsed for another `reason`.
    """
    text = block.bytes()
    ends = outside_quotes(positions_of(block.data, NEWLINE), block.quotes)
    if text[-1] != NEWLINE:
        ends = np.append(ends, text.size)
    starts = np.concatenate([NO_POSITIONS, [0], ends[:-1] + 1])
    separators = outside_quotes(positions_of(block.data, ord(header.separator)), block.quotes)
    counts = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    blank = (ends == starts) | ((ends == starts + 1) & (text[starts] == RETURN))
    invalid = np.flatnonzero(~blank & (counts != len(header.names)))
    if invalid.size:
        first = int(invalid[0])
        raise DataError(
            f"the row has {counts[first]:,} {'cell' if counts[first] == 1 else 'cells'}, "
            f"the header has {len(header.names):,}",
            location=Location(
                source=header.source,
                line=block.line_at(int(starts[first])),
                row=row + first - int(np.count_nonzero(blank[:first])),
            ),
            hint="Quote cells that contain the separator, and write empty cells too (a,,c).",
        )
    if reason or len(header.names) == 1 or not blank.any():
        place = Location(source=header.source, line=block.line, row=row)
        raise DataError("the rows from here on are not a table", location=place) from reason
    blank_lines.count(blank)
    keep = np.ones(text.size, np.bool_)
    keep[starts[blank]] = keep[ends[blank]] = False
    data = text[keep].tobytes()
    return Block(data, positions_of(data, QUOTE), block.line)
