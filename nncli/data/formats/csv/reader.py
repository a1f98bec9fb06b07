"""Read CSV and TSV with cells as text, or raise an error that names the line.

Polars parses the text; this module rejects text that can be read in more than one way. Quoting follows RFC 4180, and
records end with \\n or \\r\\n. NUL bytes are errors, and so are records with another number of cells than the header,
unless they are to be padded or skipped; empty cells behind the last column are left out.

A blank line is skipped and not counted as a row, except in a table of one column, where it is an empty cell.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import IO, NamedTuple

import numpy as np
import polars

from nncli.base.errors import Advice, DataError, Location, SetKey, reraise_out_of_memory, sentences
from nncli.data.columns.parsing import exact_numbers, may_be_class_ids
from nncli.data.dialect import AUTO, CsvDialect, Ragged
from nncli.data.formats.csv.decoding import UTF8, DecodedStream
from nncli.data.formats.csv.layout import Footer, Layout, find_layout
from nncli.data.formats.csv.numeric_columns import NumericParser, is_rectangular
from nncli.data.formats.csv.records import (
    RecordBlock,
    Records,
    blocks,
    check_strict_csv,
    check_utf8,
    outside_quotes,
    positions_of,
    quote_repair,
    unify_line_ends,
)
from nncli.data.formats.csv.sniffer import sniff_dialect
from nncli.data.formats.csv.swallowed_rows import check_swallowed_rows, have_separators
from nncli.data.formats.prefetch import prefetch_map
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import POLARS_ERRORS
from nncli.data.table import MANY_COLUMNS, Table, replace_na_values, unnamed
from nncli.nn.arrays import Mask


@dataclass(frozen=True)
class CsvHeader:
    """The columns of a file, and what else is the same for all of its blocks.

    A record has `width` cells; those behind the last of `names` are empty. `old_mac`: lines end in a lone \\r, and so
    may lines within a cell.
    """

    source: str
    separator: str
    names: tuple[str, ...]
    width: int
    missing_values: tuple[str, ...] = ()
    old_mac: bool = False

    def named(self, cells: polars.DataFrame) -> polars.DataFrame:
        """`cells` with the column names of the header, without the cells behind them."""
        cells = cells[:, : len(self.names)] if cells.width > len(self.names) else cells
        cells.columns = list(self.names)
        return cells

    def row_with_surplus(self, cells: polars.DataFrame) -> int | None:
        """The position of the first row with a cell behind the last column that is not empty; None if there is none."""
        filled = [cell.fill_null("").str.strip_chars() != "" for cell in cells[:, len(self.names) :]]
        rows = [row for cell in filled if (row := cell.arg_max()) is not None and cell.any()]
        return min(rows, default=None)

    def finalize(self, cells: polars.DataFrame) -> polars.DataFrame:
        """`cells` of text in their final form: an empty one is the text "", and a missing value null."""
        if cells.width < MANY_COLUMNS:
            cells = cells.fill_null("")
        elif with_nulls := [column.fill_null("") for column in cells if column.null_count()]:
            cells = cells.with_columns(with_nulls)
        cells = self.named(cells)
        if self.old_mac:
            cells = cells.with_columns(polars.all().str.replace_all("\n", "\r", literal=True))
        return replace_na_values(cells, self.missing_values)

    def no_rows(self) -> polars.DataFrame:
        """A frame of no rows."""
        return polars.DataFrame(schema=dict.fromkeys(self.names, polars.String))


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
    block: RecordBlock,
    header: CsvHeader,
    row: int,
    ragged: Ragged,
    repairs: Repairs,
    *,
    reason: BaseException | None = None,
) -> RecordBlock:
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
    return RecordBlock.of(data, block.line)


def _changed(records: Records, changes: dict[int, bytes | None]) -> Iterator[bytes]:
    """Yield the text of all records, with those that are changed."""
    start = 0
    for i in sorted(changes):
        yield records.data[start : records.starts[i]]
        yield changes[i] or b""
        start = int(records.ends[i]) + 1
    yield records.data[start:]


def _without_surplus(records: Records, i: int, block: RecordBlock, header: CsvHeader) -> bytes | None:
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


def _ragged_error(records: Records, i: int, number: int, block: RecordBlock, header: CsvHeader, row: int) -> DataError:
    count, others = int(records.counts[i]), number - 1
    more = f"; {others:,} of the rows below {'differs' if others == 1 else 'differ'} too" if others else ""
    return DataError(
        f"the row has {count:,} {'cell' if count == 1 else 'cells'}, the header has {len(header.names):,}{more}",
        location=Location(source=header.source, line=block.line_at(int(records.starts[i])), row=row),
        hint=sentences(
            "Quote cells that contain the separator, and write empty cells too (a,,c).",
            Advice(SetKey("data.ragged", "skip"), " leaves out such rows, pad fills short ones."),
        ),
    )


NEXT_FILE_BYTES = 1 << 16
"""Bytes from which the dialect of a file that is not the first of several is inferred."""


class ParseAttempt(NamedTuple):
    """The result of parsing the numeric columns of a block with `parser`; None if it must be parsed as text."""

    parser: NumericParser | None
    cells: polars.DataFrame | None


def read_delimited(
    file: IO[bytes],
    source: str,
    options: ReadOptions,
    *,
    default_separator: str | None = None,
    workers: int = 0,
) -> Iterator[Table]:
    """Yield a table for each block of the text, with cells as text; at least one table, which may have no rows.

    An empty cell is "", and a cell that equals a missing value is null. Columns that `options.numeric_columns` allows
    may be Float64; see numeric_columns.py. For `default_separator` see `sniff_dialect`. The first table has the notes
    about the dialect; a last table without rows has the note about skipped lines. `workers` threads parse the next
    blocks ahead of time; with 0 nothing is read ahead.

    Raises:
        DataError: the text is not a valid table; see also `blocks` and `sniff_dialect`.
    """
    text = DecodedStream(file, source, options.dialect.encoding, options.fallback_encoding)
    encoding = text.encoding
    dialect, notes = sniff_dialect(
        text,
        source,
        options.dialect_with_quote,
        default_separator=default_separator,
        training_dialect=options.known_dialect,
        max_bytes=None if options.first_file is None else NEXT_FILE_BYTES,
    )
    layout = find_layout(text, source, dialect, options.training_dialect)
    dialect = dialect.model_copy(update={"header_cells": layout.header_cells})
    notes = (*notes, *layout.notes)
    details = _details(encoding, dialect, layout)
    parser = _BlockParser(source, dialect, options, layout, old_mac=text.old_mac)
    text.read(layout.start)
    repair = quote_repair(dialect.separator, layout.width, dialect.quote)
    size, first = options.block_bytes, options.first_bytes
    pieces = blocks(text, source, size=size, first=first, line=layout.line, quote_repair=repair)
    if layout.width > 1:
        pieces = map(unify_line_ends, pieces)
    for_model = options.training_dialect is not None
    footer = Footer(layout, source, dialect.separator, dialect.footer_rows, for_model=for_model, quote=dialect.quote)
    for block, attempt in prefetch_map(footer.remove_from(pieces), parser.attempt, workers):
        row = parser.row
        cells = parser.cells(block, attempt)
        if cells.height:
            yield Table(cells, source, row, dialect=dialect, notes=notes, details=details)
            notes = ()
    if text.encoding not in (encoding, UTF8):
        notes = (*notes, f"{source}: read with encoding {text.encoding}")
    notes += tuple(f"{source}: {note}" for note in (*parser.repairs.notes, *footer.notes))
    if parser.row == 1 or notes:
        yield Table(parser.header.no_rows(), source, parser.row, dialect=dialect, notes=notes, details=details)


def _details(encoding: str, dialect: CsvDialect, layout: Layout) -> tuple[tuple[str, str | int], ...]:
    """How a text was read: the marks of numbers only where they are not the usual ones."""
    details: dict[str, str | int | None] = {
        "encoding": UTF8 if encoding == AUTO else encoding,  # ASCII so far
        "separator": dialect.separator,
        "quote": None if dialect.quote == AUTO else dialect.quote,
        "decimal mark": None if dialect.decimal == "." else dialect.decimal,
        "thousands separator": dialect.thousands,
        "header line": "none" if layout.header_line is None else layout.header_line,
    }
    return tuple((name, value) for name, value in details.items() if value is not None)


class _BlockParser:
    """Parses the blocks of one file in their order. `row` is the number of the next row."""

    def __init__(
        self, source: str, dialect: CsvDialect, options: ReadOptions, layout: Layout, *, old_mac: bool
    ) -> None:
        self._source, self._dialect, self._options = source, dialect, options
        trained = options.training_dialect
        self._ragged = dialect.ragged if trained is None or dialect.ragged != "refuse" else trained.ragged
        self._may_be_numbers = dialect.has_plain_numbers and not old_mac
        self.row, self.repairs, self._first_rows = 1, Repairs(), layout.first_rows
        self.header = CsvHeader(
            source, dialect.separator, layout.names, layout.width, options.missing_values, old_mac=old_mac
        )
        self._parser: NumericParser | None = None
        if self._may_be_numbers and options.numeric_columns.names and not options.numeric_columns.inverted:
            self._parser = self._numeric_parser(options.numeric_columns.names.difference(dict(dialect.decimals)))
        if self._may_be_numbers and options.numeric_columns.inverted and options.first_file is not None:
            self._parser = self._numeric_parser(options.first_file.numeric_names, exact_only=True)

    def _numeric_parser(self, numbers: Collection[str], *, exact_only: bool = False) -> NumericParser:
        header = self.header
        names = [*header.names, *[None] * (header.width - len(header.names))]
        return NumericParser(names, numbers, header.missing_values, header.separator, exact_only=exact_only)

    def attempt(self, block: RecordBlock) -> ParseAttempt:
        """Parse the numeric columns of a block, if they are known. Thread-safe."""
        parser = self._parser
        return ParseAttempt(parser, parser.cells(block) if parser and block.data else None)

    def cells(self, block: RecordBlock, attempt: ParseAttempt) -> polars.DataFrame:
        """The cells of the next block. The attempt is repeated if earlier blocks have changed the parser since.

        Raises:
            DataError: the block is not a valid part of a table.
        """
        check_strict_csv(block, self._source, self.header.separator)
        if attempt.parser is not self._parser:
            attempt = self.attempt(block)
        skipped = self.repairs.blank_lines
        cells = self._finalize(attempt, block)
        # As many rows as lines: no cell has several of them.
        if self._dialect.quote == AUTO and block.quotes.size and cells.height < block.newlines:
            # Two rows of as many cells as the record or the header have more separators than the record.
            width = self.header.width
            least = max(0, 2 * (min(width, len(self.header.names)) - 1) - (width - 1))
            if any(have_separators(column, self.header.separator, least) for column in cells):
                self._check_swallowed_rows(block)
        if cells.height:
            if self._may_be_numbers and self._options.numeric_columns.inverted:
                cells = self._find_numbers(cells)
            if skipped == self.repairs.blank_lines:
                self.repairs.trailing_blank_lines = 0
        self.row += cells.height
        return cells

    def _check_swallowed_rows(self, block: RecordBlock) -> None:
        header, for_model = self.header, self._options.training_dialect is not None
        rows = self._first_rows
        check_swallowed_rows(block, header.width, header.separator, self._source, first_rows=rows, for_model=for_model)

    def _find_numbers(self, cells: polars.DataFrame) -> polars.DataFrame:
        """The cells, with columns of plain numbers as Float64; later blocks are parsed with these as numbers.

        A column that was expected to be numbers and is not stays text from here on, so that other columns do not have
        to be parsed as text because of it.
        """
        parser, names = self._parser, self.header.names
        if parser is None:
            candidates = {*names} - self._options.numeric_columns.names
        else:
            candidates = {*parser.numbers} if parser.is_active else set()
        types = cells.schema
        texts = [name for name in names if name in candidates and types[name] == polars.String]
        if not texts:
            return cells
        numbers = exact_numbers(cells[texts], self._dialect)
        if parser is None:
            class_ids = self._options.class_ids
            numbers = {
                name: x for name, x in numbers.items() if name not in class_ids or not may_be_class_ids(unnamed(x))
            }
        if parser is None or len(numbers) < len(texts):
            self._parser = self._numeric_parser(numbers, exact_only=True)
        return cells.with_columns(numbers.values())

    def _finalize(self, attempt: ParseAttempt, block: RecordBlock) -> polars.DataFrame:
        """The cells of a block from a successful attempt, or else as text."""
        header = self.header
        if attempt.parser is None or not attempt.parser.is_active or not block.data:
            return self._parse(block)
        succeeded = attempt.cells is not None and header.row_with_surplus(attempt.cells) is None
        attempt.parser.record_outcome(succeeded=succeeded)
        return header.named(attempt.cells) if succeeded and attempt.cells is not None else self._parse(block)

    def _parse(self, block: RecordBlock, *, is_repaired: bool = False) -> polars.DataFrame:
        """Parse a block as text."""
        header = self.header
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
            return self._parse(self._repaired(block, error, is_repaired=is_repaired), is_repaired=True)
        if is_rectangular(block, cells, header.separator):
            if (surplus := header.row_with_surplus(cells)) is not None:
                raise DataError(
                    f"the row has a cell behind the last of the {len(header.names):,} columns",
                    location=Location(source=header.source, row=self.row + surplus),
                    hint="Name its column in the header, or quote cells that contain the separator.",
                )
            return header.finalize(cells)
        return self._parse(self._repaired(block, None, is_repaired=is_repaired), is_repaired=True)

    def _repaired(self, block: RecordBlock, reason: BaseException | None, *, is_repaired: bool) -> RecordBlock:
        """The block with as many cells in every record; it is repaired once, so that nothing is counted twice."""
        if self._dialect.quote == AUTO and block.quotes.size:
            records = Records.of(block.data, block.quotes, self.header.separator)
            for i in np.flatnonzero(records.counts != self.header.width).tolist():
                if b"\n" in (text := records.bytes(i)):
                    self._check_swallowed_rows(RecordBlock.of(text, block.line_at(int(records.starts[i]))))
        ragged = "refuse" if is_repaired else self._ragged
        return repair(block, self.header, self.row, ragged, self.repairs, reason=reason)
