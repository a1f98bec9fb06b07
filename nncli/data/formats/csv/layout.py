"""The table within a CSV file: its header below titles, its columns, and notes below its rows.

The number of cells that most records have is that of the table. A title is a record above the header with one cell that
is not empty, or with fewer cells than the table. What can be read in two ways is an error that names both.

A note is a record with one cell at the end of the file, if something shows that it is no row whose other cells are
missing: it begins like a note, stands below a blank line, or is text in a column of numbers. Without such evidence the
record stays a row, or is refused as one that is too short.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from nncli.base.errors import Advice, DataError, Location, SetKey, sentences
from nncli.base.text import join_quoted, quote
from nncli.data.dialect import AUTO, CsvDialect, Quote
from nncli.data.formats.csv.decoding import DecodedStream
from nncli.data.formats.csv.header import (
    MAX_TITLES,
    are_spaced,
    body_width,
    contradicted_names,
    filled,
    has_gaps,
    header_position,
    is_prose,
    is_row,
    is_value,
    made_names,
    name_columns,
    name_like,
    notice_of_missing_header,
    second_header,
    trailing_empty,
    value_columns,
)
from nncli.data.formats.csv.records import (
    DOUBLE_HINT,
    NO_POSITIONS,
    RecordBlock,
    Records,
    check_strict_csv,
    check_utf8,
    end_of_records,
    quotes_of,
    split_record,
)
from nncli.data.formats.csv.sniffer import SEPARATORS, complete_records, separator_is
from nncli.data.formats.csv.swallowed_rows import FirstRows, check_swallowed_rows

MAX_RECORDS = 120
BEGINNING = 1 << 17
"""Records from which the columns are inferred."""


@dataclass(frozen=True)
class Layout:
    """Where the rows of a file begin, and what their cells are.

    `names` are those of the columns, on line `header_line` (None: there is no header). A record has `width` cells, of
    which those without a name are empty. The rows begin at byte `start` of the text, on line `line`.
    `shape` is that by which notes below the table are recognized; `first_rows` tell cells of several lines from rows.
    """

    names: tuple[str, ...]
    width: int
    start: int
    line: int
    shape: TableShape
    first_rows: FirstRows
    header_cells: tuple[str, ...]
    notes: tuple[str, ...]
    header_line: int | None = None


@dataclass(frozen=True)
class _Sample:
    """The records of the sample that are not blank: their cells, and their numbers among all `records`."""

    records: Records
    cells: Sequence[Sequence[str]]
    numbers: Sequence[int]

    @classmethod
    def of(cls, records: Records, separator: str, source: str) -> _Sample:
        numbers = [i for i in range(min(len(records), MAX_RECORDS)) if not records.blank[i]]
        cells: list[list[str]] = []
        for i in numbers:
            record = records.bytes(i)
            try:
                cells.append(split_record(record, separator))
            except UnicodeDecodeError:
                check_utf8(RecordBlock(record, NO_POSITIONS, records.line(i)), source)
                raise
            except csv.Error as error:
                if not cells:
                    raise DataError(
                        f"the header cannot be read: {error}", location=Location(source=source, line=records.line(i))
                    ) from error
                cells.append([])
        return cls(records, cells, numbers)

    def line(self, i: int) -> int:
        return self.records.line(self.numbers[i])


def find_layout(text: DecodedStream, source: str, dialect: CsvDialect, trained: CsvDialect | None) -> Layout:
    """Find the layout of a file from its sample.

    `dialect` is its dialect, with what the user has configured; `trained` is that of the table a model was trained on.

    Raises:
        DataError: the file is empty, or its header cannot be told from titles or rows.
    """
    data = _beginning(complete_records(text, dialect.quote), dialect.quote)
    records = Records.of_text(data, dialect.separator, dialect.quote)
    sample = _Sample.of(records, dialect.separator, source)
    if not sample.cells:
        _check_quotes_above(records, records.line(len(records)) + 1, source, dialect.separator)
        raise DataError("the file is empty", location=Location(source=source))
    if not (dialect if trained is None else trained).header:
        return _without_header(sample, source, dialect, for_model=trained is not None)
    at = _find_header(sample, source, dialect, () if trained is None else trained.header_cells)
    number = sample.numbers[at]
    start = records.position(number + 1)
    header = text.sample[records.position(number) : start]
    if len(sample.cells[at]) > 1 or dialect.quote == "none":  # else a lone \r is an error
        header = records.data[records.starts[number] : records.ends[number] + 1]
    check_strict_csv(RecordBlock.of(header, sample.line(at)), source, dialect.separator)
    cells, body = sample.cells[at], sample.cells[at + 1 :]
    if text.old_mac:
        cells = [cell.replace("\n", "\r") for cell in cells]
    place = Location(source=source, line=sample.line(at))
    _check_one_name(cells, records.bytes(number), dialect.separator, place)
    used = _used_width(cells, body, () if trained is None else trained.header_cells)
    kept = tuple(cells[:used])
    named = name_columns(kept, source) if trained is None else name_like(kept, trained.header_cells, source)
    width = _width(body, used)
    first_rows = FirstRows(sample.cells[at:])
    _check_lines_above(records, number + 1, width, source, dialect, first_rows, for_model=trained is not None)
    if trained is None:
        _check_shifted_names(kept, body, place, is_short=len(cells) < width)
    notes = [*_title_notes(at, f"the header is on line {place.line}", source), *named.notes]
    if len(cells) < width:
        notes.append(
            f"{source}: the rows end with a separator and the header does not; the empty cell behind it is left out"
        )
    if trained is None and dialect.header_row == AUTO:
        notes += notice_of_missing_header(kept, body, source)
    remembered = kept if made_names(kept) or at or dialect.header_row != AUTO else ()
    return Layout(
        named.names,
        width,
        start,
        records.line(number + 1),
        TableShape.of(body, used, width, are_spaced(sample.numbers[at + 1 :])),
        first_rows,
        remembered,
        tuple(notes),
        place.line,
    )


def _beginning(data: bytes, quote: Quote) -> bytes:
    """The first records, if they are enough."""
    head = data[:BEGINNING]
    end = end_of_records(head, quotes_of(head, quote), inside=False)
    return head[:end] if head.count(b"\n", 0, end) > MAX_RECORDS else data


def _without_header(sample: _Sample, source: str, dialect: CsvDialect, *, for_model: bool) -> Layout:
    """The layout of a table without a header, whose columns are numbered."""
    records = sample.records
    width = body_width(sample.cells)
    first_row = next((i for i, cells in enumerate(sample.cells) if is_row(cells)), 0)
    body = sample.cells[first_row:]
    used = max([len(cells) - trailing_empty(cells) for cells in body if len(cells) == width], default=width) or width
    shape = TableShape.of(body, used, width, are_spaced(sample.numbers[first_row:]))
    number = _end_of_titles(sample, first_row, shape)
    _check_quotes_above(records, records.line(number), source, dialect.separator)
    first_rows = FirstRows([[], *body])
    _check_lines_above(records, number, width, source, dialect, first_rows, for_model=for_model)
    n_titles = int(np.count_nonzero(~records.blank[:number]))
    return Layout(
        tuple(f"column_{number}" for number in range(1, used + 1)),
        width,
        records.position(number),
        records.line(number),
        shape,
        first_rows,
        header_cells=(),
        notes=_title_notes(n_titles, f"the table begins on line {records.line(number)}", source),
    )


def _end_of_titles(sample: _Sample, first_row: int, shape: TableShape) -> int:
    """The number of the first record that is no title, in a table without a header.

    Titles are recognized like notes below a table, by going up from the first record that can only be a row.
    """
    if shape.width < 2:
        return 0
    above: list[Sequence[str]] = [[] for _ in range(sample.numbers[first_row])]
    for number, cells in zip(sample.numbers[:first_row], sample.cells, strict=False):
        # Lines within a title may be rows above which a quote is not closed.
        above[number] = NO_NOTE if not cells or "\n" in "".join(cells) else cells
    first = first_note(above[::-1], shape)
    return sample.numbers[0] if first is None else len(above) - first


def _find_header(sample: _Sample, source: str, dialect: CsvDialect, trained: Sequence[str]) -> int:
    """The position of the header among the records that are not blank.

    Raises:
        DataError: two lines may be the header, or it is not on the configured line.
    """
    if dialect.header_row != AUTO:
        lines = [sample.line(i) for i in range(len(sample.cells))]
        if dialect.header_row in lines:
            return lines.index(dialect.header_row)
        _check_quotes_above(sample.records, dialect.header_row + 1, source, dialect.separator)
        raise DataError(
            "there is no header on this line",
            location=Location(source=source, line=dialect.header_row),
            hint=f"Set data.header_row to the line of the names; the first line that is not blank is {lines[0]}.",
        )
    header = header_position(sample.cells, trained, has_blank_lines=has_gaps(sample.numbers[: MAX_TITLES + 1]))
    second = sample.line(header.at)
    if header.instead is not None:
        first = sample.line(header.instead)
        raise DataError(
            f"it is unclear whether this line or line {second} is the header",
            location=Location(source=source, line=first),
            hint=Advice(
                *("Use ", SetKey("data.header_row", f"{first}"), " or ", SetKey("data.header_row", f"{second}"), ".")
            ),
        )
    _check_quotes_above(sample.records, second, source, dialect.separator)
    _check_second_header(sample, header.at, source)
    return header.at


def _check_second_header(sample: _Sample, at: int, source: str) -> None:
    """Raise a DataError if the first row has text in all columns that hold numbers or dates in the other rows."""
    if names := second_header(sample.cells, at):
        raise DataError(
            f"this line is no row of data: {join_quoted(names)} stand where all other rows have numbers or dates",
            location=Location(source=source, line=sample.line(at + 1)),
            hint=Advice(
                "If it is the header, use ",
                SetKey("data.header_row", f"{sample.line(at + 1)}"),
                "; else remove the line.",
            ),
        )


def _check_one_name(cells: Sequence[str], record: bytes, separator: str, place: Location) -> None:
    """Raise a DataError if the only name of a header seems to be several with another separator."""
    if len(cells) != 1 or b'"' in record:
        return
    for other, called in SEPARATORS.items():
        if other in cells[0] and other != separator:
            raise DataError(
                f"the header has one name only, {quote(cells[0])}; the cells seem to be separated by {called}",
                location=place,
                hint=sentences(
                    Advice("Use ", separator_is(other), "."),
                    "If it is one name, put it in quotes.",
                ),
            )


def _check_shifted_names(
    names: Sequence[str], body: Sequence[Sequence[str]], place: Location, *, is_short: bool
) -> None:
    """Raise a DataError if a separator seems to be missing between two names, so that those behind it have moved.

    Then the rows end with a separator that the header lacks (`is_short`), or the last column has no name; and the cells
    below a name are of another kind than it says.
    """
    if not (is_short or not names[-1]) or not (moved := contradicted_names(names, body)):
        return
    steps = ["name its last column"] * (not names[-1]) + ["end it with a separator, as the rows are"] * is_short
    raise DataError(
        f"a separator seems to be missing in the header: the cells below {join_quoted(moved)} do not fit",
        location=place,
        hint=f"Add the separator between the two names. If the header is right, {' and '.join(steps)}.",
    )


def _used_width(header: Sequence[str], body: Sequence[Sequence[str]], trained: Sequence[str]) -> int:
    """The number of columns: those at the end without a name and without a value in any record are not counted."""
    named = len(header) - next((i for i, cell in enumerate(reversed(header)) if cell), len(header))
    if named == len(header) or (trained and not trained[-1]):
        return len(header)
    width = body_width(body)
    rows = (cells for cells in body if len(cells) == width and not is_prose(cells, body))
    return max([named, *(min(len(cells) - trailing_empty(cells), len(header)) for cells in rows)]) or len(header)


def _width(body: Sequence[Sequence[str]], used: int) -> int:
    """The number of cells of a record: more than the columns if most records have empty cells behind them."""
    width = body_width(body)
    surplus = any(filled(cells[used:]) for cells in body if len(cells) == width)
    return used if width < used or surplus else width


def _title_notes(number: int, what: str, source: str) -> tuple[str, ...]:
    """A note that so many records are above `what`."""
    above = "a title" if number == 1 else f"{number} lines of titles"
    return (f"{source}: {what}, below {above}",) if number else ()


def _check_quotes_above(records: Records, line: int, source: str, separator: str) -> None:
    """Raise a DataError if there is a record above a line whose quotes are unclear: it may be a row."""
    unclear = int(np.searchsorted(records.starts, records.unclear[0])) if records.unclear else len(records)
    if unclear < len(records) and (number := records.line(unclear)) < line:
        text = records.text[records.position(unclear) :]
        check_strict_csv(RecordBlock.of(text, number), source, separator)
        raise DataError("the quotes are unclear", location=Location(source=source, line=number), hint=DOUBLE_HINT)


def _check_lines_above(
    records: Records,
    number: int,
    width: int,
    source: str,
    dialect: CsvDialect,
    first_rows: FirstRows,
    *,
    for_model: bool,
) -> None:
    """Raise a DataError if a cell of the first records, the header and titles, has lines that look like rows."""
    if dialect.quote == AUTO:
        end = int(records.starts[number]) if number < len(records) else len(records.data)
        block = RecordBlock.of(records.data[:end], 1)
        check_swallowed_rows(block, width, dialect.separator, source, first_rows=first_rows, for_model=for_model)


WORDS = (
    "sources?|notes?|footnotes?|remarks?|comments?|disclaimer|copyright|license|generated|exported|created|printed|"
    "(?:last )?updated?|data as of|as of|accessed|end of (?:file|report|table)|"
    "quellen?|anmerkungen?|hinweise?|stand|erstellt|fuentes?|notas?|remarques?"
)
NOTE = re.compile(
    rf"(?i)\s*(?:(?:{WORDS})\b\s*(?:[:=.(-]|\d|(?:on|at|by|am|von)\b|$)|[*†‡©]|\(?[0-9a-z]\)\s|\[[0-9a-z]+\]\s)"
)
"""How notes below a table begin."""
NO_NOTE = ["", "?", "?"]
"""Stands for the cells of a record that is no note."""
TOTAL = re.compile(
    r"(?i)\s*(?:(?:grand|sub|overall)[ -]?)?(?:totals?|sum|summe|gesamt|insgesamt|gesamtsumme|suma|totale|average)\b\W*"
)


@dataclass(frozen=True)
class TableShape:
    """The properties of a table by which notes below it are recognized.

    A record has `width` cells, of which those behind the `columns` are empty. `first_length` is the length
    of the longest cell in the first column; `begins_with_values`: that column holds numbers or dates. `is_spaced`:
    there are blank records between rows.
    """

    columns: int
    width: int
    first_length: int
    begins_with_values: bool
    is_spaced: bool

    @classmethod
    def of(cls, body: Sequence[Sequence[str]], columns: int, width: int, is_spaced: bool) -> TableShape:
        """The shape of a table with these records."""
        lengths = [len(cells[0]) for cells in body if len(cells) >= columns and is_row(cells)]
        return cls(columns, width, max(lengths, default=0), 0 in value_columns(body, 1), is_spaced)


def first_note(records: Sequence[Sequence[str]], shape: TableShape) -> int | None:
    """The position of the first record that is a note by evidence, or of the blank records above it.

    `records` are the last ones of the table, without a row that is complete.
    """
    above, last_value = None, -1
    for i, cells in enumerate(records):
        if is_value((filled(cells) or [""])[0]):
            last_value = i
    for i in range(last_value + 1, len(records)):
        present = filled(records[i])
        if not present:
            above = i if above is None else above
        elif _is_note(records[i], present[0], shape, is_apart=above is not None):
            return i if above is None else above
        else:
            above = None
    return None


def _is_note(cells: Sequence[str], text: str, shape: TableShape, *, is_apart: bool) -> bool:
    """Whether a record whose first text is `text` is a note; `is_apart`: there is an empty record above it."""
    if NOTE.match(text):
        return True
    if is_value(text):
        return False
    words = len(text.split())
    is_long = words > 3 and len(text) > 2 * shape.first_length
    if len(cells) < shape.columns:
        is_apart = is_apart and not shape.is_spaced
    elif shape.width < 3:  # as a row it would have half of its cells
        is_apart = False
    return words > 1 and (is_apart or is_long or shape.begins_with_values)


MAX_NOTES = 100
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
    quote: Quote = AUTO
    notes: list[str] = field(default_factory=list)
    _held: bytes = b""

    def remove_from(self, blocks: Iterator[RecordBlock]) -> Iterator[RecordBlock]:
        """Yield the blocks without the records below the table."""
        if self.layout.width < 2 or self.rows == 0:
            yield from blocks
            return
        line, last = 0, b""
        for following in blocks:
            block = following
            if self._held:
                data = self._held + following.data
                block = RecordBlock.of(data, line)
            start = self._start(block)
            self._held = block.data[start:]
            if self._held:
                line = block.line_at(start)
            if start:
                last = block.data[_start_of_record(block, start) : start]
                yield block if start == len(block.data) else _before(block, start)
        if self._held:
            block = RecordBlock.of(self._held, line)
            start = 0 if self.rows != AUTO else self._start_of_notes(block)
            if not start and not last:
                start = len(block.data)  # there are no rows above
            self._describe(block.after(start))
            if start:
                last = block.data[_start_of_record(block, start) : start]
                yield _before(block, start)
        if self.rows == AUTO:
            self.notes += note_of_total(self._cells(last.rstrip(b"\r\n")), for_model=self.for_model)

    def _start(self, block: RecordBlock) -> int:
        """The position of the first record of those at the end that may be below the table."""
        position, number = len(block.data), 0
        limit = self.rows if isinstance(self.rows, int) else MAX_NOTES
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

    def _start_of_notes(self, block: RecordBlock) -> int:
        """The position of the first record that is a note by evidence, or of the blank lines above; else the end."""
        records = Records.of(block.data, block.quotes, self.separator)
        first = first_note([self._cells(records.bytes(i)) for i in range(len(records))], self.layout.shape)
        return len(block.data) if first is None else int(records.starts[first])

    def _describe(self, block: RecordBlock) -> None:
        """Note the records that are left out."""
        check_strict_csv(block, self.source, self.separator)  # a record that does not end may be several rows
        if self.quote == AUTO:
            width, rows = self.layout.width, self.layout.first_rows
            check_swallowed_rows(block, width, self.separator, self.source, first_rows=rows, for_model=self.for_model)
        records = Records.of(block.data, block.quotes, self.separator)
        if number := int(np.count_nonzero(~records.blank)):
            first = block.data.decode(errors="replace").lstrip('" \t\r\n' + self.separator).split("\n")[0]
            text = first.replace('""', '"').rstrip('" \t\r' + self.separator)
            self.notes.append(note_of_notes(number, "line", f"line {block.line:,}", text))


def note_of_notes(number: int, unit: str, where: str, text: str) -> str:
    """The note that so many lines or rows below a table are left out, the first of which has this text."""
    many = f"1 {unit}" if number == 1 else f"{number:,} {unit}s"
    shown = quote(text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…")
    return f"left out {many} below the table, from {where} on: {shown}"


def note_of_total(cells: Sequence[str], *, for_model: bool) -> list[str]:
    """A note if the last row of a table may be a sum of the others."""
    present = filled(cells)
    if not present or not TOTAL.fullmatch(present[0]):
        return []
    action = "remove the row" if for_model else SetKey("data.footer_rows", "1")
    return [Advice(f"the last row begins with {quote(present[0])}; to leave out a sum of the others, ", action)]


def _start_of_record(block: RecordBlock, end: int) -> int:
    """The position of the record that ends at `end`."""
    position = block.data.rfind(b"\n", 0, max(end - 1, 0))
    while position >= 0 and np.searchsorted(block.quotes, position) % 2:
        position = block.data.rfind(b"\n", 0, position)
    return position + 1


def _before(block: RecordBlock, end: int) -> RecordBlock:
    return RecordBlock(block.data[:end], block.quotes[: np.searchsorted(block.quotes, end)], block.line)
