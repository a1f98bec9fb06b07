"""The decimal mark of text: of a file, and of a column whose numbers have another one than the rest of the table."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from nncli.base.text import join_quoted
from nncli.data.dialect import AUTO, CsvDialect, DecimalMark
from nncli.data.table import Table, any_in_column, stacked

SAMPLE_ROWS = 1000
"""Rows from which the decimal mark of a column follows."""
FIRST_GROUP = r"[+-]?[1-9][0-9]{0,2}"
GROUPS = r"^[^0-9]*[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]|[^0-9.,]|$)"
"""7.110,20: a number with points between thousands, where the comma is the decimal mark."""
EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
AMBIGUOUS = {mark: re.compile(rf"{FIRST_GROUP}\{mark}[0-9]{{3}}") for mark in ",."}
"""1,234 and 1.234: thousands, or fractions of three digits."""
UNAMBIGUOUS = {
    ",": re.compile(rf"[+-]?(?:[0-9]*|[0-9]{{1,3}}(?:\.[0-9]{{3}})+),[0-9]+{EXPONENT}"),
    ".": re.compile(
        rf"[+-]?(?:[0-9]*|[0-9]{{1,3}}(?:,[0-9]{{3}})+)\.[0-9]+{EXPONENT}|{FIRST_GROUP}(?:,[0-9]{{3}}){{2,}}"
    ),
}
"""Cells that have this decimal mark, unless they are AMBIGUOUS."""
WHOLE = re.compile(r"[+-]?[0-9]+")
UNIT_BEFORE = re.compile(r"[^\w.,+-]*+(?:[A-Z]{3}\s*+)?+[^\w.,+-]*+")
UNIT_BEHIND = re.compile(r"[^\w.,]*+(?:[23²³]?[^\W\d_]{1,12}(?: ?0{1,3}1 ?/[^\W\d_]{1,12})?[^\w.,]*+)?+")
"""What may surround a number: a currency or percent sign, a currency code, parentheses, and behind it a word; see
spellings.py. The latter is spelled backwards, so that it is searched for in one place alone."""


@dataclass
class DecimalMarks:
    """The decimal marks that cells have: the first cell that has one clearly, and the first that may have it, by mark.

    `others` counts the cells that are no number with a mark nor a whole number, `numbers` the rest.
    """

    clear: dict[str, str] = field(default_factory=dict)
    either: dict[str, str] = field(default_factory=dict)
    numbers: int = 0
    others: int = 0

    @classmethod
    def of(cls, cells: Iterable[str], thousands: str | None) -> DecimalMarks:
        """The marks of cells without white space around them, in which `thousands` separates groups of digits."""
        marks = cls()
        for cell in cells:
            number = UNIT_BEFORE.sub("", cell, count=1)
            number = UNIT_BEHIND.sub("", number[::-1], count=1)[::-1]
            number = number.replace(thousands, "") if thousands else number
            marks._add(number, cell)
        return marks

    def _add(self, number: str, cell: str) -> None:
        is_number = WHOLE.fullmatch(number) is not None
        for mark in ",.":
            if AMBIGUOUS[mark].fullmatch(number):
                self.either.setdefault(mark, cell)
                is_number = True
            elif UNAMBIGUOUS[mark].fullmatch(number):
                self.clear.setdefault(mark, cell)
                is_number = True
        self.numbers, self.others = self.numbers + is_number, self.others + (not is_number)


def with_column_decimals(
    tables: Iterable[Table], configured: CsvDialect, trained: CsvDialect | None
) -> Iterator[Table]:
    """Yield the tables of a source with the decimal marks of the columns that have another one than the table.

    They follow from the first table with a row, unless the mark of the table is `configured` or that of a `trained`
    model. So does whether points separate the thousands of columns with a comma.
    """
    finds = trained is None and configured.decimal == AUTO
    decimals: tuple[tuple[str, str], ...] | None = None
    thousands: str | None = None
    for table in tables:
        notes = table.notes
        if finds and len(table) and decimals is None:
            decimals = column_decimals(table)
            thousands = thousands_of(table, [name for name, mark in decimals if mark == ","])
            if new := [name for name, mark in decimals if (name, mark) not in configured.decimals]:
                word = "comma" if table.dialect.decimal == "." else "point"
                notes += (f"{table.source}: read with a decimal {word} in {join_quoted(new)}",)
        marks = {"decimals": decimals, "thousands": thousands or table.dialect.thousands}
        dialect = table.dialect.model_copy(update=marks) if decimals else table.dialect
        yield replace(table, dialect=dialect, notes=notes) if decimals else table


def column_decimals(table: Table) -> tuple[tuple[str, str], ...]:
    """The columns of text with the other decimal mark than the table, beside those that are configured.

    That is a comma in a table with decimal points; a point if the table has a decimal comma only since points separate
    its thousands.
    """
    dialect = table.dialect
    if dialect.decimal != "." and dialect.thousands != ".":
        return dialect.decimals
    other: DecimalMark = "," if dialect.decimal == "." else "."
    decimals = dict(dialect.decimals)
    for name in _columns_with(other, table.frame, decimals):
        cells = table.column(name).head(SAMPLE_ROWS).drop_nulls().str.strip_chars()
        thousands = None if dialect.thousands in (other, dialect.decimal) else dialect.thousands
        marks = DecimalMarks.of(cells.filter(cells != ""), thousands)
        if [*marks.clear] == [other] and dialect.decimal not in marks.either and marks.numbers > marks.others:
            decimals[name] = other
    return tuple(decimals.items())


def thousands_of(table: Table, names: Sequence[str]) -> str | None:
    """The point, if it separates the thousands of a column `names` with a decimal comma in a table of points."""
    dialect = table.dialect
    if dialect.decimal != "." or dialect.thousands is not None:
        return None
    texts = [table.column(name) for name in names if table.frame.schema.get(name) == pl.String]
    return "." if any(cells.str.contains(GROUPS).any() for cells in texts) else None


def _columns_with(mark: str, frame: pl.DataFrame, configured: Collection[str]) -> list[str]:
    """The columns of text in which a digit follows the mark."""
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String and name not in configured]
    if not texts:
        return []
    columns = frame[texts].head(SAMPLE_ROWS).get_columns()
    has = stacked(columns).str.contains(rf"^[^\p{{L}}]*\{mark}[0-9]")  # all at once: twenty times as fast
    return [name for name, is_there in zip(texts, any_in_column(has, len(texts)).tolist(), strict=True) if is_there]
