"""Read and check the header of a CSV file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, replace

import polars

from nncli.data.io.csv.blocks import NEWLINE, NO_POSITIONS, Block, check_utf8, outside_quotes, positions_of
from nncli.data.io.csv.numeric_columns import NumericParser
from nncli.data.io.csv.sniffer import SEPARATORS, as_yaml
from nncli.data.io.csv.strict import check_strict_csv
from nncli.data.table import replace_na_values
from nncli.errors import DataError, Location
from nncli.text import join_quoted, quote


@dataclass(frozen=True)
class CsvHeader:
    """The header of a file, and what else is the same for all of its blocks.

    `old_mac`: lines end in a lone \\r, and so may lines within a cell. `parser` parses blocks with numeric columns.
    """

    source: str
    separator: str
    names: tuple[str, ...]
    missing_values: tuple[str, ...] = ()
    old_mac: bool = False
    parser: NumericParser | None = None

    def named(self, cells: polars.DataFrame) -> polars.DataFrame:
        """`cells` with the column names of the header."""
        cells.columns = list(self.names)
        return cells

    def finalize(self, cells: polars.DataFrame) -> polars.DataFrame:
        """`cells` of text in their final form: an empty one is the text "", and a missing value null."""
        cells = cells.fill_null("")
        if self.old_mac:
            cells = cells.with_columns(polars.all().str.replace_all("\n", "\r", literal=True))
        return replace_na_values(self.named(cells), self.missing_values)

    def no_rows(self) -> polars.DataFrame:
        """A frame of no rows."""
        return polars.DataFrame(schema=dict.fromkeys(self.names, polars.String))


def header_of(block: Block, source: str, separator: str, old_mac: bool) -> tuple[CsvHeader, Block]:
    """The header of a file, and the rest of the block."""
    newlines = outside_quotes(positions_of(block.data, NEWLINE), block.quotes)
    end = int(newlines[0]) + 1 if newlines.size else len(block.data)
    line = block.data[:end].rstrip(b"\r\n")
    check_utf8(Block(line, NO_POSITIONS, block.line), source)
    text = line.decode()
    check_strict_csv(block, source, separator)
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise DataError(
            f"the header cannot be read: {error}", location=Location(source=source, line=block.line)
        ) from error
    header = CsvHeader(source, separator, tuple(names), old_mac=old_mac)
    check_header(header, text, block.line)
    if old_mac:
        header = replace(header, names=tuple(name.replace("\n", "\r") for name in names))
    return header, block.after(end)


def check_header(header: CsvHeader, text: str, line: int) -> None:
    """Raise a DataError if names are missing or repeated, or the separator seems to be another."""
    place = Location(source=header.source, line=line)
    names = header.names
    if len(names) == 1 and '"' not in text:
        for other, called in SEPARATORS.items():
            if other in text and other != header.separator:
                raise DataError(
                    f"the header has one name only, {quote(names[0])}; the cells seem to be separated by {called}",
                    location=place,
                    hint=f"Set `data.separator: {as_yaml(other)}`. If it is one name, put it in quotes.",
                )
    empty = [number for number, name in enumerate(names, start=1) if not name]
    if empty:
        raise DataError(
            f"column {empty[0]} has no name in the header",
            location=place,
            hint="Name the column or remove it. pandas writes such a first column unless index=False is set."
            if empty == [1]
            else "Name the column or remove it. A separator at the end of a line begins one more column.",
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"the header repeats {join_quoted(repeated)}", location=place, hint="Give every column a unique name."
        )
