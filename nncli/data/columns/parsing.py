"""Parse the cells of a column as numbers or as text."""

from __future__ import annotations

import re
from math import isfinite, isnan
from typing import Any

import numpy as np
import polars as pl

from nncli.base.errors import DataError
from nncli.base.text import quote, yaml_quote
from nncli.data.columns.cell_errors import CellErrors, raise_first
from nncli.data.columns.hints import EMPTY_CELL_HINT, number_hint, plain_number_hint, unit_hint
from nncli.data.columns.spellings import alternative_numbers, boolean_numbers, infer_unit, strip_unit
from nncli.data.dialect import SPACES, CsvDialect
from nncli.data.table import MANY_COLUMNS, Table, any_in_column, stacked, unnamed
from nncli.nn.arrays import Floats

# 007 is an id, not a number: as a number it would lose its zeros.
LEADING_ZERO = r"^\s*[+-]?0[0-9]"
POSSIBLE_LEADING_ZERO = r"^[\s+-]*0[0-9]"
"""Matches every cell that LEADING_ZERO matches, and is three times as fast."""
TEXT_TYPES = (pl.String, pl.Categorical, pl.Enum)
DATE_TYPES = (pl.Date, pl.Datetime)
MAX_EXACT_INTEGER = 2.0**53
"""Beyond it not every whole number is a float64."""
MAX_INTEGER_CLASSES = 20
"""Distinct integers, from 0 or 1, up to which a target may be class ids."""


def parse_numbers(cells: pl.Series, dialect: CsvDialect, unit: str | None = None) -> pl.Series:
    """Parse cells as Float64: null where a cell is missing or not a number, NaN where it is `nan`.

    With a `unit`, cells of text are numbers only if they have it; see units.py.
    """
    if cells.dtype in TEXT_TYPES:
        words = cells.cast(pl.String)
        if unit is not None:
            words = strip_unit(words, unit)
        if not dialect.has_plain_numbers:
            words = normalize_numbers(words, dialect)
        numbers = words.cast(pl.Float64, strict=False)
        if numbers.null_count() == words.null_count():
            return numbers
        return words.str.strip_chars().cast(pl.Float64, strict=False)
    if cells.dtype.is_numeric() or cells.dtype in (pl.Boolean, pl.Null):
        return cells.cast(pl.Float64)
    return pl.Series([None] * len(cells), dtype=pl.Float64)


def normalize_numbers(words: pl.Series, dialect: CsvDialect) -> pl.Series:
    """Rewrite numbers with a decimal point and without thousands separators; null if not a number in the dialect."""
    mark, group, whole, bare = re.escape(dialect.decimal), dialect.thousands, "[0-9]*", words
    if group is not None:
        between = SPACES if group == " " else re.escape(group)
        whole = f"(?:[0-9]{{1,3}}(?:{between}[0-9]{{3}})+|[0-9]*)"
        bare = words.str.replace_all(between, "")
    right = rf"^\s*[+-]?{whole}(?:{mark}[0-9]*)?(?:[eE][+-]?[0-9]+)?\s*$|^[^0-9]*$"
    point = bare.str.replace(dialect.decimal, ".", literal=True)
    return point.zip_with(words.str.contains(right), pl.Series([None], dtype=pl.String))


def exact_numbers(texts: pl.DataFrame, dialect: CsvDialect) -> dict[str, pl.Series]:
    """Those columns of text, as numbers, that can be replaced by their numbers without losing anything.

    That is not so if a cell is not a finite number, may have a leading zero, or has more digits than a float64.
    """
    if texts.width >= MANY_COLUMNS and texts.height:
        return _exact_numbers_at_once(texts, dialect)
    parsed = {}
    for cells in texts:
        numbers = parse_numbers(unnamed(cells), dialect)
        if numbers.null_count() == cells.null_count() and _are_exact(numbers):
            parsed[cells.name] = numbers.alias(cells.name)
    if not parsed:
        return parsed
    # For all columns at once: for each by itself Polars takes ten times as long. By [], since to `select` and `col`
    # a column called * is all columns.
    zeros = texts[list(parsed)].select(pl.all().str.contains(POSSIBLE_LEADING_ZERO).any())
    return {name: numbers for name, numbers in parsed.items() if not zeros.item(0, name)}


def _exact_numbers_at_once(texts: pl.DataFrame, dialect: CsvDialect) -> dict[str, pl.Series]:
    """As `exact_numbers`, for many columns of at least one row."""
    columns, rows = texts.get_columns(), texts.height
    cells = stacked(columns)
    numbers = parse_numbers(cells, dialect)
    x = numbers.fill_null(0.0).to_numpy()
    is_inexact = pl.Series(~(np.abs(x) < MAX_EXACT_INTEGER))  # NaN too
    refused = (numbers.is_null() & cells.is_not_null()) | is_inexact | cells.str.contains(POSSIBLE_LEADING_ZERO)
    kept = ~any_in_column(refused, len(columns))
    return {
        column.name: numbers[j * rows : (j + 1) * rows].alias(column.name)
        for j, (column, is_kept) in enumerate(zip(columns, kept.tolist(), strict=True))
        if is_kept
    }


def _are_exact(numbers: pl.Series) -> bool:
    """Whether all numbers that are present are finite and small enough to represent every integer."""
    ends: list[Any] = [numbers.min(), numbers.max()]
    return ends[0] is None or (
        ends[0] > -MAX_EXACT_INTEGER and ends[1] < MAX_EXACT_INTEGER and not isnan(numbers.sum())
    )


def unit_of(table: Table, name: str) -> str | None:
    """The unit that all present cells of a column of text have, if they are numbers without it; see units.py."""

    def find() -> str | None:
        cells = table.column(name)
        unit = infer_unit(cells)
        if unit is None or parse_numbers(cells, table.dialect, unit).null_count() > cells.null_count():
            return None
        return unit

    return table.once(("unit", name), find)


def may_be_class_ids(numbers: pl.Series) -> bool:
    """Whether all of the numbers, some rows of a column, could be class ids: small non-negative integers."""
    return bool(((numbers >= 0.0) & (numbers <= MAX_INTEGER_CLASSES) & (numbers == numbers.floor())).all())


def read_numbers(table: Table, name: str, unit: str | None = None) -> Floats:
    """Read a column as numbers (rows,), NaN where a cell is missing. The `unit` is removed from cells of text.

    Raises:
        CellError: a cell is not a number or is infinite (names its row).
        DataError: the type of the column is not supported.
    """
    x, errors = numbers_and_errors(table, name, unit)
    raise_first(table, name, errors)
    return x


def numbers_and_errors(
    table: Table, name: str, unit: str | None = None, *, alternatives: bool = False, booleans: bool = False
) -> tuple[Floats, list[CellErrors]]:
    """Read a column as numbers (rows,), NaN where a cell is missing or cannot be read, and the errors of its cells.

    With `alternatives`, other spellings are read if they can mean one number; see spellings.py. With `booleans`, so are
    true and false.

    Raises:
        DataError: the type of the column is not supported.
    """
    cells = readable(table, name)
    numbers, errors = parse_numbers(cells, table.dialect, unit), list[CellErrors]()
    if numbers.null_count() > cells.null_count():
        invalid = numbers.is_null() & cells.is_not_null()
        if alternatives and cells.dtype in TEXT_TYPES:
            texts = cells.filter(invalid).cast(pl.String)
            found = alternative_numbers(texts, table.dialect, unit)
            found = found.fill_null(boolean_numbers(texts)) if booleans else found
            numbers = numbers.scatter(invalid.arg_true(), found)
            invalid &= numbers.is_null()

        def hint(cell: str) -> str:
            return number_hint(cell, name, table.dialect) if unit is None else unit_hint(unit)

        reason = f"is not a number{'' if unit is None else f' with {quote(unit)}'}"
        model_hint = unit_hint(unit) if unit else plain_number_hint(table.dialect)
        errors += CellErrors.of(invalid.to_numpy(), reason, hint, model_hint)
    x: Floats = (numbers.fill_null(np.nan) if numbers.has_nulls() else numbers).to_numpy()
    infinite = np.isinf(x)
    if infinite.any():
        is_word = np.zeros(len(x), np.bool_)
        if cells.dtype in TEXT_TYPES:
            is_word = ~cells.cast(pl.String).str.contains(r"\d").fill_null(True).to_numpy()
        else:
            is_word[:] = True
        errors += CellErrors.of(infinite & ~is_word, "is too large to be a number", EMPTY_CELL_HINT)
        errors += CellErrors.of(infinite & is_word, "is not a finite number", EMPTY_CELL_HINT)
        x = np.where(infinite, np.nan, x)
    return x, errors


def read_text(table: Table, name: str) -> pl.Series:
    """Read a column as text, null where a cell is missing. Numbers and booleans are converted to text.

    An integer becomes the same text, 3, in a column of integers, of floats and of decimals: many programs turn the one
    into the other where a cell is missing. A decimal is spelled as in a column of floats, but with all its digits.

    Raises:
        DataError: the type of the column is not supported.
    """
    cells = readable(table, name)
    if cells.dtype.is_decimal():
        return cells.cast(pl.String).str.replace(r"(\.[0-9]*?)0+$", "$1").str.strip_suffix(".")
    if not cells.dtype.is_float():
        return cells.cast(pl.String)
    numbers = cells.fill_nan(None)
    whole = numbers.cast(pl.Int64, strict=False)
    is_whole = (whole.cast(numbers.dtype) == numbers).fill_null(False)
    return whole.cast(pl.String).zip_with(is_whole, numbers.cast(pl.String))


def readable(table: Table, name: str) -> pl.Series:
    """The column called `name`.

    Raises:
        DataError: there is none, or its type is not supported (dates and times, lists, bytes).
    """
    cells = table.column(name)
    kind = cells.dtype
    if kind.is_numeric() or kind in TEXT_TYPES or kind in (pl.Boolean, pl.Null):
        return cells
    what = "dates or times" if kind.is_temporal() else "values that are neither numbers nor text"
    raise DataError(
        f"the column holds {what} (its type is {kind})",
        location=table.location(column=name),
        hint=f"Convert it to numbers or text, or leave it out: `drop: [{yaml_quote(name)}]` under data.",
    )


def safe_scale(center: float, scale: float) -> float:
    """`scale`, or 1 for a column that is constant up to rounding."""
    return scale if scale > abs(center) * 1e-12 else 1.0


def check_finite_scale(table: Table, name: str, x: Floats, *fitted: float) -> None:
    """Raise a DataError that names the largest of `x` (rows,) if a `fitted` value is not finite."""
    if all(isfinite(value) for value in fitted):
        return
    row = int(np.nanargmax(np.abs(x)))
    raise DataError(
        f"{x[row]:g} is too large: the scale of the column overflows",
        location=table.location(row=row, column=name),
        hint="Correct the cell, or write the column in a larger unit.",
    )
