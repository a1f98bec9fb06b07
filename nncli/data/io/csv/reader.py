"""Reading CSV and TSV: every cell as it is spelled, or a refusal that names the line.

Polars parses; this file makes sure that what it is given has one meaning only. RFC 4180 is kept to the letter
(a quote opens a cell, is doubled inside it, and closes it), with \\n or \\r\\n at the end of a record. What Polars
would mend in silence is refused: rows that are too short, repeated names, lone carriage returns, NUL bytes.

A blank line is skipped and not counted as a row, except in a table of one column, where it is an empty cell.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import IO, NamedTuple

import numpy as np
import polars

from nncli.data.columns.parsing import exact_numbers, may_be_class_ids
from nncli.data.dialect import AUTO, CsvDialect
from nncli.data.io.csv.blocks import (
    BLOCK_BYTES,
    NEWLINE,
    NOWHERE,
    QUOTE,
    RETURN,
    Block,
    blocks,
    outside,
    positions,
    refuse_encoding,
)
from nncli.data.io.csv.decoding import Text
from nncli.data.io.csv.header import Layout, header_of, nothing
from nncli.data.io.csv.numeric_columns import NumericParser, is_rectangular
from nncli.data.io.csv.sniffer import sniff_dialect
from nncli.data.io.csv.strict import Flags, check_strict_csv
from nncli.data.io.prefetch import prefetch_map
from nncli.data.io.streams import POLARS_ERRORS
from nncli.data.table import Table
from nncli.errors import DataError, Location, reraise_out_of_memory


class ParseAttempt(NamedTuple):
    """What came of parsing a block with its numbers, by `direct`; no cells where it is to be read as text."""

    direct: NumericParser | None
    cells: polars.DataFrame | None


@dataclass
class BlankLines:
    """Counts the blank lines that are skipped, and those of them that no row has followed so far."""

    total: int = 0
    trailing: int = 0

    def meet(self, blank: Flags) -> None:
        """Take note of a block by which of its records are blank."""
        rows = np.flatnonzero(~blank)
        after = blank[rows[-1] + 1 :].size if rows.size else self.trailing + blank.size
        self.total, self.trailing = self.total + int(np.count_nonzero(blank)), after

    def __str__(self) -> str:
        between = self.total - self.trailing
        return "" if not between else "1 blank line" if between == 1 else f"{between:,} blank lines"


def read_delimited(
    file: IO[bytes],
    source: str,
    *,
    dialect: CsvDialect,
    default_separator: str | None = None,
    training_dialect: CsvDialect | None = None,
    missing_values: tuple[str, ...] = (),
    numbers: frozenset[str] | None = frozenset(),
    texts: frozenset[str] = frozenset(),
    codes: frozenset[str] = frozenset(),
    size: int = BLOCK_BYTES,
    first: int | None = None,
    workers: int = 0,
) -> Iterator[Table]:
    """Yield one block of the text after another, every cell as text. At least one table is yielded, if of no rows.

    An empty cell is "", and one that is a word in `missing` is null. The columns `numbers` may be Float64, or, where
    `numbers` is None, any but `texts` of which only that can matter: see numeric_columns.py; nor any of `codes` that
    may be codes of classes. For `usual` and `trained` see `detect`. The first table carries the notes on the dialect,
    and one of no rows at the end that on skipped lines. For `size` and `first` see `blocks`. So many threads as there
    are `workers` parse the next blocks meanwhile: for 0 nothing is read before it is asked for.

    Raises:
        DataError: the text is not a table, for one of the reasons in this file; see also `blocks` and `detect`.
    """
    text = Text(file, source, dialect.encoding, training_dialect.encoding if training_dialect else AUTO)
    found, notes = sniff_dialect(
        text, source, dialect, default_separator=default_separator, training_dialect=training_dialect
    )
    layout: Layout | None = None
    row, blanks = 1, BlankLines()

    def tried(block: Block) -> ParseAttempt:
        direct = None if layout is None else layout.direct
        return ParseAttempt(direct, direct.cells(block) if direct and block.data else None)

    for block, trial in prefetch_map(blocks(text, source, size=size, first=first), tried, workers):
        if layout is None:
            block = without_leading_blank_lines(block)
            if not block.data:
                continue
            layout, block = header_of(block, source, found.separator, text.old_mac)
            layout = replace(layout, missing_values=missing_values)
            directly = found.plain and not layout.returns
            if directly and numbers:
                layout = replace(layout, direct=NumericParser(layout.names, numbers, missing_values, layout.separator))
        else:
            check_strict_csv(block, source, layout.separator)
        if trial.direct is not layout.direct:  # it was tried as the blocks before it were not known yet
            trial = tried(block)
        met = blanks.total
        cells = settled(trial, block, layout, row, blanks)
        if cells.height:
            if directly and numbers is None:
                layout, cells = with_numbers_found(layout, cells, found, texts, codes)
            blanks.trailing = 0 if met == blanks.total else blanks.trailing
            yield Table(cells, source, row, dialect=found, notes=notes)
            notes = ()
        row += cells.height
    if layout is None:
        raise DataError("the file is empty", place=Location(source=source))
    if skipped := str(blanks):
        notes = (*notes, f"{source}: skipped {skipped}")
    if row == 1 or skipped:
        yield Table(nothing(layout), source, row, dialect=found, notes=notes)


def with_numbers_found(
    layout: Layout, cells: polars.DataFrame, dialect: CsvDialect, texts: Collection[str], codes: Collection[str]
) -> tuple[Layout, polars.DataFrame]:
    """The layout once `cells` were seen, and these: columns of text that are plain numbers there become such, and will
    be parsed as such.

    Those that were thought to be and are not are taken for text from here on, so that they do not spoil it for others.
    """
    if (direct := layout.direct) is None:
        maybe = {*layout.names} - {*texts}
    else:
        maybe = {*direct.numbers} if direct.is_active else set()
    known = [name for name in layout.names if name in maybe and cells[name].dtype == polars.String]
    if not known:
        return layout, cells
    found = exact_numbers(cells.select(known), dialect)
    if direct is None:
        found = {name: x for name, x in found.items() if name not in codes or not may_be_class_ids(x)}
    if direct is None or len(found) < len(known):
        direct = NumericParser(layout.names, found, layout.missing_values, layout.separator, only_value=True)
    return replace(layout, direct=direct), cells.with_columns(found.values())


def without_leading_blank_lines(block: Block) -> Block:
    start = 0
    while block.data.startswith((b"\n", b"\r\n"), start):
        start = block.data.index(b"\n", start) + 1
    return block.after(start)


def settled(trial: ParseAttempt, block: Block, layout: Layout, row: int, blanks: BlankLines) -> polars.DataFrame:
    """The cells of a block, as they were parsed with their numbers, or else as text."""
    if trial.direct is None or not trial.direct.is_active or not block.data:
        return parse(block, layout, row, blanks)
    trial.direct.record_outcome(held=trial.cells is not None)
    return parse(block, layout, row, blanks) if trial.cells is None else layout.named(trial.cells)


def parse(block: Block, layout: Layout, row: int, blanks: BlankLines) -> polars.DataFrame:
    """The cells of a block whose first row is number `row`."""
    if not block.data:
        return nothing(layout)
    # The header is ours: Polars renames repeated names, and without one skips blank lines at first.
    header = layout.separator.join(map(str, range(len(layout.names)))) + "\n"
    # The last line gets its end: Polars drops what is too much in a last row that has none.
    end = b"" if block.data.endswith(b"\n") else b"\n"
    text = b"".join((header.encode(), block.data, end))
    try:
        cells = polars.read_csv(io.BytesIO(text), separator=layout.separator, infer_schema=False)
    except POLARS_ERRORS as error:
        reraise_out_of_memory(error)
        refuse_encoding(block, layout.source)
        return parse(without_blank_lines(block, layout, row, blanks, reason=error), layout, row, blanks)
    if is_rectangular(block, cells, layout.separator):
        return layout.settled(cells)
    return parse(without_blank_lines(block, layout, row, blanks), layout, row, blanks)


def without_blank_lines(
    block: Block, layout: Layout, row: int, blanks: BlankLines, *, reason: BaseException | None = None
) -> Block:
    """The block without its blank lines, once it is known that no other record is too short or too long.

    Raises:
        DataError: a record has the wrong number of cells, or there is nothing to explain `reason`.
    """
    text = block.bytes()
    ends = outside(positions(block.data, NEWLINE), block.quotes)
    if text[-1] != NEWLINE:
        ends = np.append(ends, text.size)
    starts = np.concatenate([NOWHERE, [0], ends[:-1] + 1])
    separators = outside(positions(block.data, ord(layout.separator)), block.quotes)
    counts = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    blank = (ends == starts) | ((ends == starts + 1) & (text[starts] == RETURN))
    wrong = np.flatnonzero(~blank & (counts != len(layout.names)))
    if wrong.size:
        first = int(wrong[0])
        raise DataError(
            f"the row has {counts[first]:,} {'cell' if counts[first] == 1 else 'cells'}, "
            f"the header has {len(layout.names):,}",
            place=Location(
                source=layout.source,
                line=block.line_at(int(starts[first])),
                row=row + first - int(np.count_nonzero(blank[:first])),
            ),
            hint="Write a cell that holds a separator in quotes, and every empty cell too (a,,c).",
        )
    if reason or len(layout.names) == 1 or not blank.any():
        place = Location(source=layout.source, line=block.line, row=row)
        raise DataError("the rows from here on cannot be read as a table", place=place) from reason
    blanks.meet(blank)
    keep = np.ones(text.size, np.bool_)
    keep[starts[blank]] = keep[ends[blank]] = False
    data = text[keep].tobytes()
    return Block(data, positions(data, QUOTE), block.line)
