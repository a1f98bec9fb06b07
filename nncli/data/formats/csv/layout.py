"""Find the header of a CSV file, below lines of titles, and the columns of the table, from the beginning of the file.

The number of cells that most records have is that of the table. A title is a record above the header with one cell that
is not empty, or with fewer cells than the table. What can be read in two ways is an error that names both.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nncli.base.errors import DataError, Location
from nncli.base.text import join_quoted, quote
from nncli.data.dialect import AUTO, CsvDialect
from nncli.data.formats.csv.blocks import NO_POSITIONS, QUOTE, Block, check_utf8, end_of_records, positions_of
from nncli.data.formats.csv.decoding import DecodedStream
from nncli.data.formats.csv.names import contradicted_names, made_names, name_columns, name_like
from nncli.data.formats.csv.ragged import DOUBLE_HINT, check_strict_csv
from nncli.data.formats.csv.records import Records, split_record
from nncli.data.formats.csv.sniffer import SEPARATORS, as_yaml, complete_records
from nncli.data.formats.csv.titles import (
    MAX_TITLES,
    body_width,
    filled,
    header_position,
    is_prose,
    is_row,
    is_value,
    notice_of_missing_header,
    second_header,
    trailing_empty,
    value_columns,
)

MAX_RECORDS = 120
BEGINNING = 1 << 17
"""Records from which the columns are inferred."""


@dataclass(frozen=True)
class Layout:
    """Where the rows of a file begin, and what their cells are.

    `names` are those of the columns, on line `header_line` (None: there is no header). A record has `width` cells, of
    which those without a name are empty. The rows begin at byte `start` of the text, on line `line`.
    `begins_with_values`: the first column holds numbers or dates. `first_length` is the number of characters of the
    longest cell in the first column.
    `is_spaced`: there are blank lines between rows.
    """

    names: tuple[str, ...]
    width: int
    start: int
    line: int
    begins_with_values: bool
    first_length: int
    is_spaced: bool
    header_cells: tuple[str, ...]
    notes: tuple[str, ...]
    header_line: int | None = None

    @property
    def shape(self) -> TableShape:
        """The properties of the table by which notes below it are recognized."""
        return TableShape(len(self.names), self.width, self.first_length, self.begins_with_values, self.is_spaced)


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
                check_utf8(Block(record, NO_POSITIONS, records.line(i)), source)
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

    def is_spaced(self, at: int) -> bool:
        """Whether there are blank lines between the records after position `at`, not only at their end."""
        numbers = self.numbers[at + 1 :]
        middle = numbers[: len(numbers) // 2]
        return bool(middle) and middle[-1] - middle[0] >= len(middle)

    @property
    def has_blank_lines(self) -> bool:
        """Whether there are blank lines within the first records."""
        first = self.numbers[: MAX_TITLES + 1]
        return first[-1] - first[0] >= len(first)


def find_layout(text: DecodedStream, source: str, dialect: CsvDialect, trained: CsvDialect | None) -> Layout:
    """Find the layout of a file from its sample.

    `dialect` is its dialect, with what the user has configured; `trained` is that of the table a model was trained on.

    Raises:
        DataError: the file is empty, or its header cannot be told from titles or rows.
    """
    data = _beginning(complete_records(text))
    records = Records.of_text(data, dialect.separator)
    sample = _Sample.of(records, dialect.separator, source)
    if not sample.cells:
        _check_quotes_above(records, records.line(len(records)) + 1, source, dialect.separator)
        raise DataError("the file is empty", location=Location(source=source))
    if not (dialect if trained is None else trained).header:
        return _without_header(sample, source, dialect.separator)
    at = _find_header(sample, source, dialect, () if trained is None else trained.header_cells)
    number = sample.numbers[at]
    start = records.position(number + 1)
    header = text.sample[records.position(number) : start]
    if len(sample.cells[at]) > 1:  # else a lone \r is an error
        header = records.data[records.starts[number] : records.ends[number] + 1]
    check_strict_csv(Block(header, positions_of(header, QUOTE), sample.line(at)), source, dialect.separator)
    cells, body = sample.cells[at], sample.cells[at + 1 :]
    if text.old_mac:
        cells = [cell.replace("\n", "\r") for cell in cells]
    place = Location(source=source, line=sample.line(at))
    _check_one_name(cells, records.bytes(number), dialect.separator, place)
    used = _used_width(cells, body, () if trained is None else trained.header_cells)
    kept = tuple(cells[:used])
    named = name_columns(kept, source) if trained is None else name_like(kept, trained.header_cells, source)
    width = _width(body, used)
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
        0 in value_columns(body, 1),
        _first_length(body, used),
        sample.is_spaced(at),
        remembered,
        tuple(notes),
        place.line,
    )


def _beginning(data: bytes) -> bytes:
    """The first records, if they are enough."""
    head = data[:BEGINNING]
    end = end_of_records(head, positions_of(head, QUOTE), inside=False)
    return head[:end] if head.count(b"\n", 0, end) > MAX_RECORDS else data


def _without_header(sample: _Sample, source: str, separator: str) -> Layout:
    """The layout of a table without a header, whose columns are numbered."""
    records = sample.records
    width = body_width(sample.cells)
    first_row = next((i for i, cells in enumerate(sample.cells) if is_row(cells)), 0)
    body = sample.cells[first_row:]
    used = max([len(cells) - trailing_empty(cells) for cells in body if len(cells) == width], default=width) or width
    shape = TableShape(
        used, width, _first_length(body, width), 0 in value_columns(body, 1), sample.is_spaced(first_row - 1)
    )
    number = _end_of_titles(sample, first_row, shape)
    _check_quotes_above(records, records.line(number), source, separator)
    n_titles = int(np.count_nonzero(~records.blank[:number]))
    return Layout(
        tuple(f"column_{number}" for number in range(1, used + 1)),
        width,
        records.position(number),
        records.line(number),
        shape.begins_with_values,
        shape.first_length,
        shape.is_spaced,
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


def _first_length(body: Sequence[Sequence[str]], width: int) -> int:
    """The number of characters of the longest cell in the first column, in records of at least `width` cells."""
    return max((len(cells[0]) for cells in body if len(cells) >= width and is_row(cells)), default=0)


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
    found = header_position(sample.cells, trained, has_blank_lines=sample.has_blank_lines)
    second = sample.line(found.at)
    if found.instead is not None:
        first = sample.line(found.instead)
        raise DataError(
            f"it is unclear whether this line or line {second} is the header",
            location=Location(source=source, line=first),
            hint=f"Set `data.header_row: {first}` or `data.header_row: {second}`.",
        )
    _check_quotes_above(sample.records, second, source, dialect.separator)
    _check_second_header(sample, found.at, source)
    return found.at


def _check_second_header(sample: _Sample, at: int, source: str) -> None:
    """Raise a DataError if the first row has text in all columns that hold numbers or dates in the other rows."""
    if names := second_header(sample.cells, at):
        raise DataError(
            f"this line is no row of data: {join_quoted(names)} stand where all other rows have numbers or dates",
            location=Location(source=source, line=sample.line(at + 1)),
            hint=f"If it is the header, set `data.header_row: {sample.line(at + 1)}`; else remove the line.",
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
                hint=f"Set `data.separator: {as_yaml(other)}`. If it is one name, put it in quotes.",
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
        check_strict_csv(Block(text, positions_of(text, QUOTE), number), source, separator)
        raise DataError("the quotes are unclear", location=Location(source=source, line=number), hint=DOUBLE_HINT)


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
