"""Reading CSV and TSV: every cell as it is spelled, or a refusal that names the line.

Polars parses; this file makes sure that what it is given has one meaning only. RFC 4180 is kept to the letter
(a quote opens a cell, is doubled inside it, and closes it), with \\n or \\r\\n at the end of a record. What Polars
would mend in silence is refused: rows that are too short, repeated names, lone carriage returns, NUL bytes.

A blank line is skipped and not counted as a row, except in a table of one column, where it is an empty cell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TypeAlias

import numpy as np
import numpy.typing as npt
import polars

from nncli.data.blocks import (
    BLOCK_BYTES,
    NEWLINE,
    NOWHERE,
    QUOTE,
    RETURN,
    Block,
    Positions,
    blocks,
    count_of,
    outside,
    positions,
    refuse_encoding,
)
from nncli.data.sources import REFUSALS
from nncli.errors import DataError, Place, listed, quoted

Flags: TypeAlias = npt.NDArray[np.bool_]

COMMA, TAB = ",", "\t"
OTHER_SEPARATORS = {";": "semicolons", "|": "bars", TAB: "tabs", COMMA: "commas"}


@dataclass(frozen=True)
class Dialect:
    """What is the same for all blocks of one file."""

    source: str
    separator: str
    names: tuple[str, ...]

    def named(self, cells: polars.DataFrame) -> polars.DataFrame:
        """`cells` under the names of the header, an empty cell being the text ""."""
        cells = cells.fill_null("")
        cells.columns = list(self.names)
        return cells


def read_delimited(
    file: IO[bytes], source: str, *, separator: str | None, size: int = BLOCK_BYTES
) -> Iterator[tuple[int, polars.DataFrame]]:
    """Yield the number of the first row (from 1) and the cells, all of them text, of one block after another.

    An empty cell is null; the caller says what that means. At least one frame is yielded, if of no rows.
    `separator` None means: tabs if the header has any, else commas.

    Raises:
        DataError: the text is not a table, for one of the reasons in this file; see also `blocks`.
    """
    dialect = None
    row = 1
    for block in blocks(file, source, size=size):
        if dialect is None:
            block = without_leading_blank_lines(block)
            if not block.data:
                continue
            dialect, block = header_of(block, source, separator)
        else:
            check_text(block, source, dialect.separator)
        cells = parse(block, dialect, row)
        if cells.height:
            yield row, dialect.named(cells)
        row += cells.height
    if dialect is None:
        raise DataError("the file is empty", place=Place(source=source))
    if row == 1:
        yield row, dialect.named(nothing(len(dialect.names)))


def without_leading_blank_lines(block: Block) -> Block:
    start = 0
    while block.data.startswith((b"\n", b"\r\n"), start):
        start = block.data.index(b"\n", start) + 1
    return block.after(start)


def header_of(block: Block, source: str, separator: str | None) -> tuple[Dialect, Block]:
    """The dialect that the header says, and what follows the header in the block."""
    newlines = outside(positions(block.data, NEWLINE), block.quotes)
    end = int(newlines[0]) + 1 if newlines.size else len(block.data)
    line = block.data[:end].rstrip(b"\r\n")
    refuse_encoding(Block(line, NOWHERE, block.line), source)
    text = line.decode()
    if separator is None:
        separator = TAB if outside(positions(line, ord(TAB)), block.quotes).size else COMMA
    check_text(block, source, separator)
    try:
        dialect = Dialect(source, separator, header_cells(text, separator))
    except csv.Error as error:
        raise DataError(f"the header cannot be read: {error}", place=Place(source=source, line=block.line)) from error
    check_header(dialect, text, block.line)
    return dialect, block.after(end)


def header_cells(text: str, separator: str) -> tuple[str, ...]:
    return tuple(next(csv.reader(io.StringIO(text, newline=""), delimiter=separator)))


def check_header(dialect: Dialect, text: str, line: int) -> None:
    """Refuse names that are missing or repeated, and a header that some other character separates."""
    place = Place(source=dialect.source, line=line)
    names = dialect.names
    if len(names) == 1 and '"' not in text:
        for other, called in OTHER_SEPARATORS.items():
            if other in text and other != dialect.separator:
                raise DataError(
                    f"the header has one name only, {quoted(names[0])}; the cells seem to be separated by {called}",
                    place=place,
                    hint="Separate them by commas in a .csv and by tabs in a .tsv file. "
                    "If this really is one name, put it in quotes.",
                )
    empty = [number for number, name in enumerate(names, start=1) if not name]
    if empty:
        raise DataError(
            f"column {empty[0]} has no name in the header",
            place=place,
            hint="Name it or remove it. pandas writes such a first column unless told index=False."
            if empty == [1]
            else "Name it or remove it. A separator at the end of a line begins one more column.",
        )
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1] if len(set(names)) < len(names) else []
    if repeated:
        raise DataError(f"the header repeats {listed(repeated)}", place=place, hint="Give every column its own name.")


def check_text(block: Block, source: str, separator: str) -> None:
    """Refuse bytes that readers disagree about: NUL, a carriage return alone, a quote out of place."""
    data = block.data
    if b"\0" in data:
        line = block.line_at(data.index(b"\0"))
        hint = "Most likely it is UTF-16 text or not a text table at all. Save it as UTF-8."
        raise DataError("there is a NUL byte in the text", place=Place(source=source, line=line), hint=hint)
    returns = positions(data, RETURN)
    lone = outside(returns[~follows(block, returns, b"\n")], block.quotes) if returns.size else returns
    if lone.size:
        raise DataError(
            "there is a carriage return that does not end a line",
            place=Place(source=source, line=block.line_at(int(lone[0]))),
            hint="Save the file with line ends of Unix (\\n) or Windows (\\r\\n).",
        )
    if not block.quotes.size:
        return
    opening, closing = block.quotes[::2], block.quotes[1::2]
    wrong = opening[~precedes(block, opening, f'{separator}\n"'.encode())]
    if wrong.size:
        misplaced(block, source, int(wrong[0]), "a quote stands in the middle of a cell that is not quoted")
    wrong = closing[~follows(block, closing, f'{separator}\r\n"'.encode())]
    if wrong.size:
        began = int(opening[int(np.searchsorted(closing, wrong[0]))])
        misplaced(block, source, began, "the cell that a quote opens here goes on after its closing quote")
    if block.quotes.size % 2:
        misplaced(block, source, int(block.quotes[-1]), "the cell that a quote opens here is never closed")


def misplaced(block: Block, source: str, position: int, message: str) -> None:
    raise DataError(
        message,
        place=Place(source=source, line=block.line_at(position)),
        hint='A cell with a quote in it is written in quotes, and the quote inside doubled: "5"" pipe".',
    )


def follows(block: Block, at: Positions, allowed: bytes) -> Flags:
    """Which of the bytes `at` are followed by one of the `allowed` ones; at the end of the text only a quote is."""
    text = block.bytes()
    known = np.zeros(256, np.bool_)
    known[list(allowed)] = True
    right = known[text[np.minimum(at + 1, text.size - 1)]]
    if at.size and at[-1] == text.size - 1:
        right[-1] = QUOTE in allowed
    return right


def precedes(block: Block, at: Positions, allowed: bytes) -> Flags:
    """Which of the bytes `at` come after one of the `allowed` ones, or begin the text."""
    known = np.zeros(256, np.bool_)
    known[list(allowed)] = True
    right = known[block.bytes()[at - 1]]
    if at.size and at[0] == 0:
        right[0] = True
    return right


def parse(block: Block, dialect: Dialect, row: int) -> polars.DataFrame:
    """The cells of a block whose first row is number `row`, one column per name, called 0, 1, 2 ..."""
    if not block.data:
        return nothing(len(dialect.names))
    # The header is ours: Polars renames repeated names, and without one takes the width of the first row.
    header = dialect.separator.join(map(str, range(len(dialect.names)))) + "\n"
    # The last line gets its end: Polars drops what is too much in a last row that has none.
    end = b"" if block.data.endswith(b"\n") else b"\n"
    text = io.BytesIO(b"".join((header.encode(), block.data, end)))
    try:
        cells = polars.read_csv(text, separator=dialect.separator, infer_schema=False)
    except REFUSALS as error:
        refuse_encoding(block, dialect.source)
        return parse(without_blank_lines(block, dialect, row, reason=error), dialect, row)
    if is_rectangular(block, cells, dialect.separator):
        return cells
    return parse(without_blank_lines(block, dialect, row), dialect, row)


def nothing(width: int) -> polars.DataFrame:
    """A frame of `width` columns of text and no rows."""
    return polars.DataFrame(schema={str(number): polars.String for number in range(width)})


def is_rectangular(block: Block, cells: polars.DataFrame, separator: str) -> bool:
    """Whether every record has as many cells as the header.

    Polars refuses rows that are too long and fills up those that are too short with nulls, which it also gives
    for empty cells; so separators are counted. Those inside quoted cells take time to count, and that time is
    taken only where some last cell is null: else no row was filled up.
    """
    if block.quotes.size and not cells.get_column(cells.columns[-1]).null_count():
        return True
    count = count_of(block.bytes(), ord(separator))
    if block.quotes.size:
        inside = cells.select(polars.all().str.count_matches(separator, literal=True).sum())
        count -= int(inside.sum_horizontal().item())
    return count == cells.height * (cells.width - 1)


def without_blank_lines(block: Block, dialect: Dialect, row: int, *, reason: BaseException | None = None) -> Block:
    """The block without its blank lines, once it is known that no other record is too short or too long.

    Raises:
        DataError: a record has the wrong number of cells, or there is nothing to explain `reason`.
    """
    text = block.bytes()
    ends = outside(positions(block.data, NEWLINE), block.quotes)
    if text[-1] != NEWLINE:
        ends = np.append(ends, text.size)
    starts = np.concatenate([NOWHERE, [0], ends[:-1] + 1])
    separators = outside(positions(block.data, ord(dialect.separator)), block.quotes)
    counts = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    blank = (ends == starts) | ((ends == starts + 1) & (text[starts] == RETURN))
    wrong = np.flatnonzero(~blank & (counts != len(dialect.names)))
    if wrong.size:
        first = int(wrong[0])
        raise DataError(
            f"the row has {counts[first]:,} {'cell' if counts[first] == 1 else 'cells'}, "
            f"the header has {len(dialect.names):,}",
            place=Place(
                source=dialect.source,
                line=block.line_at(int(starts[first])),
                row=row + first - int(np.count_nonzero(blank[:first])),
            ),
            hint="Write a cell that holds a separator in quotes, and every empty cell too (a,,c).",
        )
    if reason or len(dialect.names) == 1 or not blank.any():
        place = Place(source=dialect.source, line=block.line, row=row)
        raise DataError("the rows from here on cannot be read as a table", place=place) from reason
    keep = np.ones(text.size, np.bool_)
    keep[starts[blank]] = keep[ends[blank]] = False
    data = text[keep].tobytes()
    return Block(data, positions(data, QUOTE), block.line)
