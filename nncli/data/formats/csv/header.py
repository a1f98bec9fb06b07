"""What is the same for all blocks of a CSV file: its columns, and how their cells are read."""

from __future__ import annotations

from dataclasses import dataclass

import polars

from nncli.data.formats.csv.numeric_columns import NumericParser
from nncli.data.stacked import MANY_COLUMNS
from nncli.data.table import replace_na_values


@dataclass(frozen=True)
class CsvHeader:
    """The columns of a file, and what else is the same for all of its blocks.

    A record has `width` cells; those behind the last of `names` are empty. `old_mac`: lines end in a lone \\r, and so
    may lines within a cell. `parser` parses blocks with numeric columns.
    """

    source: str
    separator: str
    names: tuple[str, ...]
    width: int
    missing_values: tuple[str, ...] = ()
    old_mac: bool = False
    parser: NumericParser | None = None

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
