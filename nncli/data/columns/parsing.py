"""Parse the cells of a column as numbers or as text; the errors and hints of cells that cannot be read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from math import isfinite, isnan
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from nncli.base.errors import Advice, CellError, DataError, SetKey, UseOption, sentences
from nncli.base.text import quote, yaml_quote
from nncli.data.columns.decimal_marks import DecimalMarks
from nncli.data.columns.spellings import (
    CURRENCY_CODES,
    alternative_numbers,
    boolean_numbers,
    infer_unit,
    strip_unit,
)
from nncli.data.dialect import CsvDialect
from nncli.data.number_and_date_forms import PARENTHESES, PERCENT, separator_pattern, training_form
from nncli.data.table import MANY_COLUMNS, Table, any_in_column, stacked, unnamed
from nncli.nn.arrays import Floats, Mask, RowIndices


class CellErrors(NamedTuple):
    """Cells of one column that cannot be read for one `reason`: their positions `rows` (n,), at least one.

    `hint` returns the hint of the error for the text of a cell, `model_hint` is that of a trained model.
    """

    rows: RowIndices
    reason: str
    hint: Callable[[str], str]
    model_hint: str | None = None

    @classmethod
    def of(
        cls, mask: Mask, reason: str, hint: Callable[[str], str] | str, model_hint: str | None = None
    ) -> list[CellErrors]:
        """The errors of the cells in the mask (rows,), in a list that is empty if there are none."""
        rows = np.flatnonzero(mask)
        return [cls(rows, reason, hint if callable(hint) else lambda cell: hint, model_hint)] if len(rows) else []


def raise_first(table: Table, name: str, errors: Sequence[CellErrors]) -> None:
    """Raise a CellError that names the first cell of the first of the errors in the column `name`, if there are any."""
    if not errors:
        return
    first = errors[0]
    row = int(first.rows[0])
    cell = readable_cells(table.column(name))[row]
    raise CellError(
        f"{'an empty cell' if cell is None else quote(cell)} {first.reason}",
        location=table.location(row=row, column=name),
        hint=first.hint(str(cell)),
        model_hint=first.model_hint,
    )


def readable_cells(cells: pl.Series) -> pl.Series:
    """The cells, with dates and times as numbers, since those beyond the year 9999 cannot be converted to text."""
    return cells.to_physical() if cells.dtype.is_temporal() else cells


MISSING_WORDS = frozenset(
    (
        *("-", "--", "?", ".", "*", "n/a", "na", "n.a.", "#n/a", "#na", "nan", "nil", "none", "null"),
        *("missing", "unknown", "undefined", "tbd", "#value!", "#div/0!", "#null!"),
    )
)
DATE = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2}.*)?")
UNIT_SIGNS = re.compile(rf"^\(|[%‰$€£¥₹₩₽₺₴₫₱₪]|\b(?:{CURRENCY_CODES})\b|\)$|[.,][-–—]$")
BOTH_MARKS = "Other cells of the column have the other decimal mark. Write all of its numbers with the same one."
SAME_SIGN = "A currency or percent sign is removed only if all cells of the column have the same one."
NUMBER_WITH_SEPARATORS = re.compile(
    r"[+-]?(?:\d{1,3}(?:(?P<group>[,.'’_ \xa0\u202f])\d{3}(?:(?P=group)\d{3})*)|\d*)"
    r"(?:(?P<mark>[,.])\d+)?(?:[eE][+-]?\d+)?"
)
EMPTY_CELL_HINT = "Correct the cell, or leave it empty."
ON_ERROR_HINT = Advice("To treat all such cells as missing: ", UseOption("on_error", "on_error", "missing"), ".")


def number_hint(
    cell: str, name: str, dialect: CsvDialect, cells: pl.Series, unit: str | None = None, words: Sequence[str] = ()
) -> str:
    """The hint for `cell` of the column `name` of these `cells`, which is no number with the `unit` of the others.

    `words` are all cells that are no numbers, if there are few.
    """
    other = "," if dialect.decimal == "." else "."
    has_mark = has_decimal_mark(cells, dialect.decimal)
    meaning = guess_meaning(cell.strip(), dialect, name, has_mark=has_mark)
    if has_mark and other in DecimalMarks.of([cell.strip()], None).clear:
        meaning = BOTH_MARKS
    as_categories = to_categories(name)
    are_numbers = 2 * parse_numbers(cells, dialect, unit).count() > cells.count()
    if meaning and not are_numbers:
        return sentences(meaning, as_categories)
    added = ", ".join(map(yaml_quote, words or [cell]))
    return sentences(
        meaning,
        "Correct the cell, or empty it.",
        Advice("If it means a missing value: ", SetKey("data.missing_values", f"[{added}]"), "."),
        ON_ERROR_HINT if are_numbers else "",
        as_categories,
    )


def has_decimal_mark(cells: pl.Series, mark: str) -> bool:
    """Whether a cell of a column of text has this decimal mark, and no other."""
    return bool(cells.cast(pl.String).str.contains(rf"^[^\p{{L}}.,]*{re.escape(mark)}[0-9]+[^\p{{L}}.,0-9]*$").any())


def unit_hint(unit: str, dialect: CsvDialect) -> str:
    """The hint for a cell that is not a number with the `unit` of the training rows."""
    if unit == PARENTHESES:
        return (
            "The model reads numbers such as 1200 and 1200.-, and negative ones such as -12, (12) and "
            f"12{dialect.decimal}50-. Write the cell like these, or empty it."
        )
    if unit in PERCENT:
        return (
            f"In the training rows all cells were numbers with {quote(unit)}. A number without it could be a fraction "
            "(0.12 for 12 %). Write the cell with the sign, or empty it."
        )
    number = f"1234{dialect.decimal}5"
    return (
        f"The model reads numbers with {quote(unit)}, or without a unit, such as {number}. "
        "Write the cell like these, or empty it."
    )


def plain_number_hint(dialect: CsvDialect) -> str:
    """The hint of a trained model for a cell that is not a number without a unit."""
    return f"The model reads numbers such as 1234{dialect.decimal}5. {EMPTY_CELL_HINT}"


def date_hint(name: str) -> str:
    """The hint for a cell of the column `name` that is not a date."""
    return sentences(
        "Correct the cell. If it means a missing value, add it to data.missing_values.",
        Advice("If dates have another format, use it, such as ", SetKey("data.date_format", "%d/%m/%Y"), "."),
        to_categories(name),
        ON_ERROR_HINT,
    )


def kind_is(name: str, kind: str) -> SetKey:
    """The action of setting the kind of a column."""
    if not name or re.search(r"[.=+]|^\s|\s$", name) or not name.isprintable():
        return SetKey("data.columns", f"{{{yaml_quote(name)}: {kind}}}")
    return SetKey(f"data.columns.{name}", kind)


def leave_out(name: str) -> UseOption | SetKey:
    """The action of not using a column; a name that a terminal does not show is escaped as YAML."""
    return UseOption("drop", "drop", name) if name.isprintable() else SetKey("data.drop+", f"[{yaml_quote(name)}]")


def to_categories(name: str) -> Advice:
    """The advice to treat a column as categories."""
    return Advice("To treat the column as categories: ", kind_is(name, "categorical"), ".")


def guess_meaning(text: str, dialect: CsvDialect, name: str, *, has_mark: bool = False) -> str:
    """A sentence about what `text` seems to be, and the setting that would read it so.

    With `has_mark`, other cells of the column have the decimal mark of the dialect, so no other mark is suggested.
    """
    if not any(c.isdigit() for c in text):
        return ""
    if (bare := UNIT_SIGNS.sub("", text).strip()) != text:
        return guess_meaning(bare, dialect, name, has_mark=has_mark) or SAME_SIGN
    if DATE.fullmatch(text):
        return "It looks like a date or a time; to use it as a number, convert it to a year or a count of days."
    if any(is_non_ascii_number_char(c) for c in text):
        return "Numbers must be written with the digits 0 to 9 and the ASCII signs + and -."
    if not (match := NUMBER_WITH_SEPARATORS.fullmatch(text)):
        return ""
    group, mark = match["group"], match["mark"]
    found = list[Advice | None]()
    if group is None or (not has_mark and group in ",." and mark is None and text.count(group) == 1):
        found.append(alternative_reading(text, None, mark or group, dialect, name))
    if group is not None and group != mark:
        found.append(alternative_reading(text, group, mark, dialect, name))
    readings = [reading for reading in found if reading is not None]
    parts = [part for reading in readings for part in (", with ", *reading.parts)]
    return Advice("With ", *parts[1:], ".") if readings else ""


def alternative_reading(
    text: str, group: str | None, mark: str | None, dialect: CsvDialect, name: str
) -> Advice | None:
    """The settings and `it is 1.5`; None if the dialect has these settings already.

    In a table with both decimal marks, it is that of the column called `name`.
    """
    settings, number = list[SetKey](), text.replace(group or "", "") if group else text
    if mark is not None and mark != dialect.decimal:
        is_of_table = dialect.decimal == "." and not dialect.decimals
        own = f'{{{yaml_quote(name)}: "{mark}"}}'
        settings.append(SetKey("data.decimal", mark) if is_of_table else SetKey("data.decimals", own))
    if group is not None and group != dialect.thousands:
        thousands = yaml_quote(" ") if group.isspace() else group if group in ",.'" else yaml_quote(group)
        settings.append(SetKey("data.thousands", thousands))
    if not settings:
        return None
    first, *others = settings
    value = quote(number.replace(mark, ".") if mark else number)[1:-1]
    return Advice(first, *(part for key in others for part in (" and ", key)), f" it is {value}")


def is_non_ascii_number_char(c: str) -> bool:
    """Whether a character is a digit, sign or separator of numbers that is not ASCII, such as − or １."""
    return not c.isascii() and (c.isdigit() or unicodedata.category(c) == "Pd" or c in "−，．٫٬")


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

    With a `unit`, cells of text are numbers only if they have it; see spellings.py.
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
    between = separator_pattern(dialect.thousands)
    bare = words.str.replace_all(between, "") if between else words
    right = rf"^\s*{training_form(dialect.decimal, dialect.thousands)}\s*$|^[^0-9]*$"
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
    """The unit that all present cells of a column of text have, if they are numbers without it; see spellings.py."""

    def find() -> str | None:
        cells = table.column(name)
        unit = infer_unit(cells)
        if unit is None or parse_numbers(cells, table.dialect_of(name), unit).null_count() > cells.null_count():
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
    dialect = table.dialect_of(name)
    numbers, errors = parse_numbers(cells, dialect, unit), list[CellErrors]()
    if numbers.null_count() > cells.null_count():
        invalid = numbers.is_null() & cells.is_not_null()
        if alternatives and cells.dtype in TEXT_TYPES:
            texts = cells.filter(invalid).cast(pl.String)
            parsed = alternative_numbers(texts, dialect, unit)
            parsed = parsed.fill_null(boolean_numbers(texts)) if booleans else parsed
            numbers = numbers.scatter(invalid.arg_true(), parsed)
            invalid &= numbers.is_null()

        def hint(cell: str) -> str:
            return number_hint(cell, name, dialect, cells) if unit is None else unit_hint(unit, dialect)

        reason = f"is not a number{'' if unit is None else f' with {quote(unit)}'}"
        model_hint = unit_hint(unit, dialect) if unit else plain_number_hint(dialect)
        errors += CellErrors.of(invalid.to_numpy(), reason, hint, model_hint)
    x: Floats = (numbers.fill_null(np.nan) if numbers.has_nulls() else numbers).to_numpy()
    infinite = np.isinf(x)
    if infinite.any():
        is_word = np.ones(len(x), np.bool_)
        if cells.dtype in TEXT_TYPES:
            is_word = ~cells.cast(pl.String).str.contains(r"\d").fill_null(True).to_numpy()
        hints = sentences(EMPTY_CELL_HINT, ON_ERROR_HINT), EMPTY_CELL_HINT
        errors += CellErrors.of(infinite & ~is_word, "is too large to be a number", *hints)
        errors += CellErrors.of(infinite & is_word, "is not a finite number", *hints)
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
        hint=Advice(
            "Convert it to numbers or text",
            Advice(", or leave it out: ", leave_out(name)),
            ".",
        ),
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
