"""A column before encoding, with the properties from which its kind is inferred, and errors where that is ambiguous."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl

from nncli.base.errors import Advice, DataError, SetKey, sentences
from nncli.base.text import quote
from nncli.data.columns.datetimes import (
    InferredFormats,
    infer_date_formats,
    parse_any_date,
    parse_dates,
    readings_hint,
    undecided,
)
from nncli.data.columns.parsing import (
    LEADING_ZERO,
    MAX_EXACT_INTEGER,
    MISSING_WORDS,
    date_hint,
    kind_is,
    leave_out,
    number_hint,
    parse_numbers,
    to_categories,
)
from nncli.data.columns.spellings import (
    MEASURES,
    SIGN,
    UNIT_ROWS,
    infer_unit,
    may_be_thousands,
    strip_unit,
    words_behind,
)
from nncli.data.number_and_date_forms import PARENTHESES
from nncli.data.table import Table


class RawColumn:
    """One column of a table. Expensive properties are computed on first use and cached."""

    def __init__(self, table: Table, name: str) -> None:
        self.table, self.name = table, name
        self.cells = table.column(name)

    @property
    def is_text(self) -> bool:
        """Whether the cells are strings, as all are in a CSV."""
        return self.cells.dtype == pl.String

    @cached_property
    def present(self) -> pl.Series:
        """The cells that are not missing."""
        return self.cells.drop_nulls()

    @cached_property
    def numbers(self) -> pl.Series:
        """The cells as Float64, null where one is missing or not a number."""
        return parse_numbers(self.cells, self.table.dialect_of(self.name))

    @cached_property
    def unit(self) -> str | None:
        """The currency or percent sign of the first number in a column of text, or the word behind most numbers."""
        return infer_unit(self.present)

    @cached_property
    def numbers_without_unit(self) -> pl.Series:
        """The cells as Float64 once the unit is removed, null where one is missing or not a number with that unit."""
        return (
            self.numbers
            if self.unit is None
            else parse_numbers(self.cells, self.table.dialect_of(self.name), self.unit)
        )

    def are_all_numbers(self, numbers: pl.Series) -> bool:
        """Whether every cell that is not missing is one of the numbers."""
        return numbers.null_count() == self.cells.null_count()

    @property
    def is_empty(self) -> bool:
        """Whether there is no value: every cell is missing or NaN."""
        if self.cells.dtype.is_float():
            return not self.cells.is_not_nan().any()
        if self.present.is_empty():
            return True
        return self.is_text and self.are_all_numbers(self.numbers) and bool(self.numbers.is_nan().all())

    @property
    def has_leading_zeros(self) -> bool:
        """Whether a number in a column of text has a leading zero, as an id such as 007 does."""
        return self.is_text and bool(self.cells.filter(self.numbers.is_not_null()).str.contains(LEADING_ZERO).any())

    def check_not_numbers(self) -> None:
        """Raise a DataError if most cells of a column of text are numbers, or look like some, or are durations."""
        check_units(self)
        check_mixed_numbers(self.table, self.name, self.numbers, self.numbers_without_unit)
        check_durations(self.table, self.name)


# A column of text is ambiguous if most of its present cells are numbers and a few are not, or if most look like numbers
# (1,5 and 12% do). Columns of categories and codes are not; see `are_categories` and `are_codes`.

# A code is text that has digits and no quantity: e1, 12a, 192.168.100.1, +34 683 623 954, 12345-6789.

DIGIT = r"\p{Nd}"
GROUPED = (
    r"\p{Nd}{1,3}(?:,\p{Nd}{2,3})*,\p{Nd}{3}(?:\.\p{Nd}+)?|"  # 1,234.5, and 12,34,567 as in India
    r"\p{Nd}{1,3}(?:\.\p{Nd}{3})+(?:,\p{Nd}+)?|"  # 1.234,5
    r"\p{Nd}{1,3}(?:['’_ \x{a0}\x{202f}]\p{Nd}{3})+(?:[.,]\p{Nd}+)?"  # 1 234.5
)
NUMBER = rf"(?:{GROUPED}|\p{{Nd}}+(?:[,.，．٫]\p{{Nd}}+)?|[,.，．٫]\p{{Nd}}+)(?:[eE][+-]?\p{{Nd}}+)?"
AMOUNT = rf"[+\-−–]?\s*(?:{SIGN})?\s*[+\-−–]?(?:{NUMBER})(?:[.,][-–—])?\s*(?:{SIGN})?"
LOOKS_LIKE_A_NUMBER = rf"^\s*(?:{AMOUNT}|\({AMOUNT}\))\s*$"
"""Cells that a person reads as a number, whatever its separators, sign and unit. The exponent alone is none: e1."""
MAX_CATEGORIES, MIN_MEAN_COUNT = 20, 10
"""A column of at most so many distinct cells, each in so many rows on average, may be categories some of which are
numbers."""
MIN_RELATIVE_COUNT = 0.1
"""Relative to the mean count of a category: a cell that is not a number and is rarer than this is a typing error."""
MAX_NUMBERS, MIN_REPEATS = 10, 1.5
"""Distinct numbers, and rows of each distinct cell on average, of categories in a table of few rows."""
MAX_WORDS = 5
"""Distinct cells that are no numbers, up to which an error lists them."""
FEW = 0.1
"""Fraction of the present cells up to which misfits in a column of numbers are few."""
ADDRESS = r"^\s*\d{1,3}(?:\.\d{1,3}){3}\s*$"
PHONE = r"^\s*(?:\+\d{1,3}|0\d{1,2}|\d{3})(?:[ .\x{a0}]\d{3}){2,}\s*$"
CODE = r"\d.*\p{L}|\p{L}.*\d|\d[-/*:#+]|^\s*[<>~≤≥]\s*\d"
"""12a, A12, 12-14, 5+ and <5."""
LIMIT = r"^\s*[<>~≤≥]=?\s*\p{Nd}+(?:[.,]\p{Nd}+)?\s*$"
"""<0.5, beyond what was measured."""
OPEN_RANGE = r"^\s*(?:[<>≤≥]=?\s*\d+|\d+\s*\+)\s*$"
"""5+, >3: written on purpose, even in a single row."""
DURATION = r"^\s*[+-]?\d{1,3}:[0-5]\d:[0-5]\d(?:[.,]\d+)?\s*$"
"""2:46:03; without seconds, such as 08:30, times are codes."""
ZIP, ZIP_PLUS_4 = r"^\d{5}$", r"^\d{5}-\d{4}$"
MIN_CODES = 3
"""Fewest cells that are codes and not numbers in a column of both."""
CODE_WIDTH = 8
"""Characters from which cells of the same width are codes, such as an ISBN that ends with X."""


def looks_like_a_number(cells: pl.Series) -> pl.Series:
    """Mask of the cells that a person reads as a number; null where a cell is missing."""
    mask = cells.str.contains(DIGIT)
    candidates = mask.arg_true()  # the long pattern is slow, and most text has no digit
    return mask.scatter(candidates, cells[candidates].str.contains(LOOKS_LIKE_A_NUMBER)) if len(candidates) else mask


def are_categories(cells: pl.Series, is_odd: pl.Series) -> bool:
    """Whether cells are categories: few distinct values, and the odd ones as frequent as the others.

    Odd cells are those that are neither missing nor of the kind of most others. If they look like numbers, cells are
    not categories; if they are open ranges such as 5+, they are, however rare.
    """
    counts = cells.drop_nulls().value_counts()["count"]
    mean = cells.count() / len(counts)
    odd = cells.filter(is_odd)
    if len(counts) > MAX_CATEGORIES or looks_like_a_number(odd).any():
        return False
    if odd.str.contains(OPEN_RANGE).all():
        return True
    odd_counts = odd.value_counts()
    if mean >= MIN_MEAN_COUNT:
        return bool((odd_counts["count"] >= MIN_RELATIVE_COUNT * mean).all())
    words = {cell.strip().casefold() for cell in odd_counts[odd.name]}
    few_numbers = len(counts) - len(odd_counts) <= MAX_NUMBERS
    common = len(odd) > FEW * cells.count() or bool((odd_counts["count"] >= max(2.0, mean / 3)).all())
    return few_numbers and mean >= MIN_REPEATS and common and not words <= MISSING_WORDS


def are_codes(cells: pl.Series, is_odd: pl.Series) -> bool:
    """Whether cells, of which most are numbers, are codes: many of the odd ones are digits with something else.

    They are also codes if all have the same width. Odd cells that are all a number and the same word, such as
    `5 kg`, have a unit; those among many numbers that are all limits such as <0.5 are measurements.
    """
    odd = cells.filter(is_odd)
    if looks_like_a_number(odd).any() or not odd.str.contains(CODE).all():
        return False
    present = cells.drop_nulls()
    if odd.str.contains(LIMIT).all() and present.n_unique() > MAX_CATEGORIES:
        return False
    if present.str.contains(rf"^[0-9A-Za-z]{{{CODE_WIDTH},}}$").all() and present.str.len_chars().n_unique() == 1:
        return True
    if odd.str.contains(ZIP_PLUS_4).all() and present.str.contains(ZIP).sum() == len(present) - len(odd):
        return True
    words = odd.str.replace_all(r"[\d\s.,]", "").unique()
    has_unit = len(words) == 1 and bool(words.str.contains(r"^\p{L}+[²³]?$").all())
    return not has_unit and len(odd) >= MIN_CODES and len(odd) > FEW * len(present)


def are_addresses_or_phone_numbers(cells: pl.Series) -> bool:
    """Whether all cells are IP addresses, or all are phone numbers of the same width, in groups of three digits.

    Phone numbers begin with 0 or a plus, or have the same width.
    """
    present = cells.drop_nulls()
    if present.is_empty():
        return False
    if present.str.contains(ADDRESS).all():
        return True
    widths = present.str.strip_chars().str.len_chars().n_unique()
    return bool(present.str.contains(PHONE).all()) and (widths == 1 or bool(present.str.contains(r"^\s*[+0]").all()))


def check_units(column: RawColumn) -> None:
    """Raise a DataError if the numbers of a column of text have several units, or a few cells lack that of the others.

    Few distinct cells, each in many rows, are categories.
    """
    table, name, cells, unit = column.table, column.name, column.cells, column.unit
    present = cells.count()
    measures = MEASURES.split("|")
    units = [word for word in words_behind(column.present.head(UNIT_ROWS)) if word in measures]
    if len(units) > 1 and column.present.n_unique() > MAX_CATEGORIES:
        counts = {word: count for word, count in words_behind(cells).items() if word in measures}
        if sum(counts.values()) >= (1.0 - FEW) * present:
            words = ", ".join(f"{word} in {count:,}" for word, count in counts.items())
            raise DataError(
                f"the numbers of the column have different units: {words} of {present:,} cells",
                location=table.location(column=name),
                hint=sentences("Write all of them in the same unit.", to_categories(name)),
            )
    if unit is None or unit == PARENTHESES:
        return
    is_odd = column.numbers_without_unit.is_null() & cells.is_not_null()
    if not 0 < is_odd.sum() <= FEW * present or are_categories(cells, is_odd):
        return
    row = int(is_odd.arg_max() or 0)
    raise DataError(
        f"{quote(cells[row])} is not a number with {quote(unit)}; {present - is_odd.sum():,} of {present:,} cells are",
        location=table.location(row=row, column=name),
        hint=number_hint(cells[row], name, table.dialect_of(name), cells, unit),
    )


def check_mixed_numbers(table: Table, name: str, numbers: pl.Series, bare: pl.Series) -> None:
    """Raise a DataError if most cells of the column of text `name` are numbers, or look like numbers, and some are not.

    `numbers` are the parsed cells, `bare` those without the unit of the first number; both are null where a cell is not
    a number. The error names the first cell that is null in both, if there is one.
    """
    cells = table.column(name)
    is_odd = numbers.is_null() & cells.is_not_null()
    if are_categories(cells, is_odd):
        return
    present, n_numbers = len(cells) - cells.null_count(), len(numbers) - numbers.null_count()
    message, reason = "is not a number", f"{n_numbers:,} of {present:,} cells are numbers"
    words: list[str] = []
    if 2 * n_numbers > present:
        if are_codes(cells, is_odd):
            return
        counts = cells.filter(is_odd).alias("word").value_counts().sort(["count", "word"], descending=[True, False])
        if 1 < len(counts) <= MAX_WORDS and not counts["word"].str.contains(DIGIT).any():
            words = counts["word"].to_list()
            reason += f", {', '.join(f'{quote(word)} {count:,}' for word, count in counts.iter_rows())}"
    else:
        is_similar = looks_like_a_number(cells).fill_null(False) & is_odd
        n_similar = is_similar.sum()
        if 2 * (n_numbers + n_similar) <= present or are_addresses_or_phone_numbers(cells):
            return
        message = "looks like a number but cannot be read as one"
        reason = f"so do {n_similar:,} of {present:,} cells"
        is_odder = is_similar & bare.is_null()
        is_odd = is_odder if is_odder.any() else is_similar
    row = int(is_odd.arg_max() or 0)
    raise DataError(
        f"{quote(cells[row])} {message}; {reason}",
        location=table.location(row=row, column=name),
        hint=number_hint(cells[row], name, table.dialect_of(name), cells, words=words),
    )


def check_durations(table: Table, name: str) -> None:
    """Raise a DataError if most cells of the column of text `name` are durations or times of day, of many values."""
    cells = table.column(name)
    is_duration = cells.str.contains(DURATION).fill_null(False)
    count = int(is_duration.sum())
    if 2 * count <= cells.count() or cells.n_unique() <= MAX_CATEGORIES:
        return
    row = int(is_duration.arg_max() or 0)
    raise DataError(
        f"{quote(cells[row])} is a duration or a time of day; so are {count:,} of {cells.count():,} cells",
        location=table.location(row=row, column=name),
        hint=sentences(
            "Convert it to a number, such as minutes.",
            Advice("To leave the column out: ", leave_out(name), "."),
            to_categories(name),
        ),
    )


def check_ambiguous_decimal(table: Table, name: str, unit: str) -> None:
    """Raise a DataError if the decimal mark in amounts of money could also be a thousands separator."""
    cells, dialect = table.column(name), table.dialect_of(name)
    mark = dialect.decimal
    if not may_be_thousands(cells, unit, dialect):
        return
    row = int(cells.str.contains(mark, literal=True).arg_max() or 0)
    number = (strip_unit(cells[row : row + 1], unit)[0] or "").strip()
    raise DataError(
        f"the number {quote(cells[row])} is ambiguous",
        location=table.location(row=row, column=name),
        hint=Advice(
            *(f"For {number.replace(mark, '')} use ", SetKey("data.thousands", mark)),
            *(f"; for {number.replace(mark, '.')} use ", kind_is(name, "numeric"), "."),
        ),
    )


def are_dates(table: Table, name: str) -> bool:
    """Whether the column of text `name` holds dates.

    Raises:
        DataError: more than half of the cells are dates, and the others look like errors rather than categories.
    """
    cells = table.column(name)
    formats, _, readings = date_formats_of(table, name)
    if not formats:
        return False
    is_odd = parse_any_date(cells, formats).is_null() & cells.is_not_null()
    if is_odd.any():
        if are_categories(cells, is_odd):
            return False
        present = cells.count()
        row = int(is_odd.arg_max() or 0)
        if readings and parse_dates(cells[row : row + 1], readings[0]).count():
            raise ambiguous_date(table, name, row, readings)
        raise DataError(
            f"{quote(cells[row])} is not a date; {present - is_odd.sum():,} of {present:,} cells are dates",
            location=table.location(row=row, column=name),
            hint=date_hint(name),
        )
    return True


def date_formats_of(table: Table, name: str) -> InferredFormats:
    """The date formats of the column of text `name`."""
    return table.once(("date formats", name), lambda: infer_date_formats(table.column(name), table.dialect.date_format))


def ambiguous_date(table: Table, name: str, row: int, readings: Sequence[str]) -> DataError:
    """The error of a date in the column `name` that no cell decides between several readings."""
    return DataError(
        f"the date {quote(table.column(name)[row])} is ambiguous: {undecided(readings)}",
        location=table.location(row=row, column=name),
        hint=readings_hint(readings),
    )


def check_large_integers(table: Table, name: str, numbers: pl.Series) -> None:
    """Raise a DataError if an integer in the column has more digits than a float64 can represent."""
    cells = table.column(name)
    if not (cells.dtype.is_integer() or cells.dtype.is_decimal() or cells.dtype == pl.String):
        return
    x = numbers.to_numpy()
    with np.errstate(invalid="ignore"):
        large = np.flatnonzero((np.abs(x) >= MAX_EXACT_INTEGER) & np.isfinite(x))
    for row in large.tolist():
        spelled = str(cells[row]).strip().replace(table.dialect_of(name).thousands or " ", "")
        if cells.dtype.is_decimal():
            spelled = re.sub(r"\.0*$", "", spelled)
        if spelled.lstrip("+-").isdecimal() and int(spelled) != int(x[row]):
            raise DataError(
                f"{quote(spelled)} has more digits than a float64 can represent; is it an id?",
                location=table.location(row=row, column=name),
                hint=Advice(
                    *("Leave the column out: ", leave_out(name), "; or set its kind: ", kind_is(name, "categorical")),
                    *(", or ", kind_is(name, "numeric"), " if its last digits do not matter."),
                ),
            )
