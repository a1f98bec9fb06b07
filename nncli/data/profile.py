"""Profile the columns of a table: their kind and statistics, and whether to train on them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl

from nncli.base.errors import DataError
from nncli.data.columns.datetimes import (
    DATE_LIKE,
    MONTH_LIKE,
    DateDoubt,
    date_doubt,
    looks_like_a_date,
    parse_dates,
    pattern_of,
    short_year_format,
)
from nncli.data.columns.decimal_marks import DecimalMarks
from nncli.data.columns.parsing import MAX_EXACT_INTEGER, MISSING_WORDS, parse_numbers, read_text, unit_of
from nncli.data.columns.raw_column import (
    DIGIT,
    DURATION,
    MAX_CATEGORIES,
    are_addresses_or_phone_numbers,
    date_formats_of,
    looks_like_a_number,
)
from nncli.data.columns.spellings import AS_IN_ACCOUNTING, BOOLEAN_PAIRS, NUMBER_WITH_SIGN, NUMBER_WITH_WORD, infer_unit
from nncli.data.dialect import AUTO, CsvDialect
from nncli.data.encoders.column_types import ENCODERS, ColumnType, infer_kind
from nncli.data.encoders.numeric import columns_at_once
from nncli.data.encoders.text import are_phrases
from nncli.data.number_and_date_forms import DATE_FORMATS, ISO, SPACES_BETWEEN, separator_pattern
from nncli.data.store.column_store import NO_COLUMNS, ColumnStore, DenseColumns
from nncli.data.table import Table, any_in_column, stacked
from nncli.nn.arrays import Counts, Floats, Mask

MAX_TOP_VALUES = 5
"""Largest number of most frequent values in a profile."""


class Label(StrEnum):
    """What a column holds, if its kind does not say it: a numeric id, for example, is of numeric kind."""

    BOOLEAN = "boolean"
    ID = "id-like"
    CONSTANT = "constant"
    EMPTY = "empty"


@dataclass(frozen=True)
class ColumnProfile:
    """The kind, statistics and recommendation of one column.

    `kind` is the inferred kind; if inference fails, `error` is its error and `kind` is categorical. `missing` of the
    `rows` have no value; the others have `distinct` different values, of which `top_values` are the most frequent, with
    their counts. `lowest`, `highest`, `mean`, `median` and `histogram` are those of the finite numbers. The column
    would be numeric without the missing-value markers `na_spellings`; with the `thousands` separator most of its cells
    are numbers. `unit` is the unit that is removed from numbers. `short_dates` is the format of dates whose years have
    two digits. With a `date_doubt`, most cells look like dates and are not read as such. `recommended` says whether to
    train on the column, and `reason` why not.
    """

    name: str
    kind: ColumnType
    label: ColumnType | Label
    rows: int
    missing: int
    distinct: int = 0
    top_values: tuple[tuple[str, int], ...] = ()
    lowest: float | None = None
    highest: float | None = None
    mean: float | None = None
    median: float | None = None
    histogram: tuple[int, ...] = ()
    na_spellings: tuple[str, ...] = ()
    thousands: str = ""
    unit: str | None = None
    error: DataError | None = None
    recommended: bool = True
    reason: str = ""
    short_dates: str | None = None
    date_doubt: DateDoubt | None = None

    @property
    def present(self) -> int:
        """Number of rows with a value."""
        return self.rows - self.missing

    @property
    def is_unique(self) -> bool:
        """Whether every row has a different value, as in a key."""
        return self.rows > 1 and self.distinct == self.rows

    @property
    def is_nearly_unique(self) -> bool:
        """Whether nearly every row with a value has a different one, as in a key of a table with duplicate rows."""
        return self.rows >= MIN_ROWS_FOR_KEY and self.distinct >= NEARLY_UNIQUE * self.present > 0


MAX_ROW_NUMBER = 1.25
"""Relative to the number of rows: the largest of ascending row numbers of which some are absent."""
MAX_FIRST_ROW_NUMBER = 9
"""Absent rows are spread over the table, so that row numbers begin near 1; measurements such as 30, 31, 32 do not."""
NEARLY_UNIQUE = 0.9
"""Fraction of distinct values from which a column is like an id."""
MIN_ROWS_FOR_KEY = 20
"""Smallest number of rows for which unique values suggest a key, unless the column is named like one."""
NAME_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
KEY_NAMES = frozenset(("id", "ids", "uid", "uuid", "guid", "key", "index", "idx", "rownum", "rownumber", "rownames"))
ENTITY_KEY = re.compile(
    "(row|record|user|customer|client|passenger|patient|person|order|item|product|case|sample|subject|student|"
    "employee|member|account|transaction|event|session|device|image|file|object|loan|invoice|house)(id|key|no|nr)"
)
UNNAMED_COLUMN = re.compile(r"unnamed: ?[0-9]+|column_?[0-9]*|#|no\.?|nr\.?|")
"""Names that programs give to an unnamed column of row numbers."""
SEVERAL_WORDS = r"\S\s+\S"
THOUSANDS = (",", ".", "'", " ")
TIME_WORDS = frozenset(
    ("time", "t", "date", "year", "quarter", "month", "week", "day", "hour", "minute", "second", "period")
)


def profile(table: ColumnStore, names: Sequence[str] | None = None) -> tuple[ColumnProfile, ...]:
    """Profile the columns `names` (default: all stored columns, in order), with a few columns in memory at a time.

    Raises:
        DataError: there is no such column.
    """
    if names is None:
        names = [name for name in table.header.names if name in table.types]
    n_columns = columns_at_once(len(table))
    parts = (names[start : start + n_columns] for start in range(0, len(names), n_columns))
    words: dict[str, list[str]] = {}
    if (invalid := table.header.invalid_cells) is not None:
        for name, cell in invalid.select("column", "value").unique().sort("value").iter_rows():
            words.setdefault(name, []).extend([cell] if cell.strip().casefold() in MISSING_WORDS else [])
    columns = (column for part in parts for column in _profile_part(table, part))
    return tuple(replace(c, na_spellings=tuple(words[c.name])) if words.get(c.name) else c for c in columns)


def _profile_part(table: ColumnStore, names: Sequence[str]) -> Iterator[ColumnProfile]:
    """Profile some columns: those of finite numbers and those of plain text at once, the others one at a time."""
    dense = table.dense(names) if len(names) > 1 and len(table) else NO_COLUMNS
    numeric = {column.name: (column, x) for column, x in zip(profile_numbers(dense), dense.x, strict=True)}
    is_text = {name for name in names if table.types.get(name) == pl.String} if len(names) > 1 else set[str]()
    texts = table.columns([name for name in names if name in is_text])
    at_once = all(kind.profiles_at_once for kind in ENCODERS.values())
    plain = profile_texts(texts.frame.get_columns(), texts.dialect) if at_once else {}
    for name in names:
        column, x = numeric.get(name, (None, None))
        if name in plain:
            yield _with_recommendation(plain[name], texts.column(name), texts, is_plain=True)
        elif column is None or x is None or max(-x.min(), x.max()) >= MAX_EXACT_INTEGER:
            yield profile_column(texts if name in is_text else table.columns([name]), name)
        elif column.distinct <= 2 or (
            (column.is_unique or column.is_nearly_unique) and (x == np.floor(x)).all()
        ):  # its label may not be numeric
            yield _with_recommendation(column, pl.Series(x), table.header)
        else:
            yield column


def profile_column(table: Table, name: str) -> ColumnProfile:
    """Profile one column of a table.

    Raises:
        DataError: there is no such column.
    """
    table = table.with_cache()
    cells, kind_error, read_error = table.column(name), None, None
    try:
        kind = infer_kind(table, name)
        read_error = _read_error(table, name, kind)
    except DataError as error:  # ambiguous; the user can declare the column as categorical
        kind, kind_error = ColumnType.CATEGORICAL, error
    cells = cells.fill_nan(None) if cells.dtype.is_float() else cells
    label: ColumnType | Label = Label.EMPTY if kind is ColumnType.EMPTY else kind
    unit = unit_of(table, name) if kind.is_numeric else None
    if kind.is_numeric and cells.dtype == pl.String:
        cells = cells.set(parse_numbers(cells, table.dialect_of(name), unit).is_nan().fill_null(False), None)
    missing = cells.null_count()
    column = ColumnProfile(name, kind, label, len(cells), missing, unit=unit, error=kind_error or read_error)
    if label is Label.EMPTY:
        return replace(column, recommended=False, reason="no value in any row")
    present = cells.drop_nulls()
    if read_error is not None:
        label = ColumnType.DATE if present.dtype.is_temporal() else label
        column = replace(column, label=label, recommended=False, reason=read_error.message)
    if present.dtype.is_nested() or present.dtype in (pl.Binary, pl.Object, pl.Duration):
        return column
    if kind in (ColumnType.CATEGORICAL, ColumnType.TEXT) and present.dtype == pl.String and kind_error is None:
        column = replace(column, date_doubt=date_doubt(present, table.dialect.date_format))
    if kind is ColumnType.DATE and present.dtype == pl.String:
        column = replace(column, short_dates=short_year_format(date_formats_of(table, name).formats))
    column = _with_statistics(column, present, table)
    return column if read_error else _with_recommendation(column, present, table)


def _read_error(table: Table, name: str, kind: ColumnType) -> DataError | None:
    """The error of reading the cells as this kind, such as an infinite number; None if there is none."""
    try:
        if kind is not ColumnType.EMPTY:
            kind.encoder.read_cells(table, name)
    except DataError as error:
        return error
    return None


def _with_statistics(column: ColumnProfile, present: pl.Series, table: Table) -> ColumnProfile:
    """Add the counts, and the statistics of numeric columns, to the profile."""
    cells = present.cast(pl.String) if present.dtype in (pl.Categorical, pl.Enum) else present
    counts = cells.alias("value").value_counts(name="rows")
    top = counts.sort(["rows", "value"], descending=[True, False]).head(MAX_TOP_VALUES)
    value, rows = top.get_columns()
    texts = read_text(Table(value.to_frame(), ""), "value") if value.dtype.is_float() else value.cast(pl.String)
    column = replace(column, distinct=len(counts), top_values=tuple(zip(texts.to_list(), rows.to_list(), strict=True)))
    if not column.kind.is_numeric:
        return column
    x = parse_numbers(present, table.dialect_of(column.name), column.unit).fill_nan(None)
    x = x.filter(x.is_finite())
    lowest, highest, mean, median = x.min(), x.max(), x.mean(), x.median()
    histogram = histogram_of(x.to_numpy())
    return replace(column, lowest=lowest, highest=highest, mean=mean, median=median, histogram=histogram)  # type: ignore[arg-type]


def _with_recommendation(
    column: ColumnProfile, present: pl.Series, table: Table, *, is_plain: bool = False
) -> ColumnProfile:
    """Add the label and the recommendation to the profile; text `is_plain` that is no number in any spelling."""
    if column.distinct == 1 and column.rows == column.present > 1:
        return replace(column, label=Label.CONSTANT, recommended=False, reason="one value in all rows")
    error = column.error
    if error is not None and not _are_all_integers(present):
        if spellings := _na_spellings(column, present, table):
            return replace(column, na_spellings=spellings)
        column = replace(column, thousands=_infer_thousands(column.name, present, table))
        if column.is_unique and column.rows >= MIN_ROWS_FOR_KEY:  # too many to be categories
            return replace(column, recommended=False, reason=error.message)
        return column
    if column.is_unique and column.date_doubt is not None:
        return replace(column, recommended=False, reason=f"{column.date_doubt.message}; set data.date_format")
    if column.is_unique and _is_key(column, present, table):
        return replace(column, label=Label.ID, recommended=False, reason="a different value in every row")
    if column.is_nearly_unique and is_named_like_a_key(column.name) and _is_key(column, present, table):
        reason = f"named like a key, with {column.distinct:,} different values in {column.present:,} rows"
        return replace(column, label=Label.ID, recommended=False, reason=reason)
    if column.kind.encoder.needs_repeats:
        if not is_plain:
            if present.dtype == pl.String and (spellings := _na_spellings(column, present, table)):
                return replace(column, na_spellings=spellings)
            column = replace(column, thousands=_infer_thousands(column.name, present, table))
        if column.is_unique and column.rows >= MIN_ROWS_FOR_KEY:
            return replace(column, label=ColumnType.TEXT, recommended=False, reason="text that differs in every row")
    if column.distinct == 2 and frozenset(value.strip().lower() for value, _ in column.top_values) in BOOLEAN_PAIRS:
        return replace(column, label=Label.BOOLEAN)
    return column


def _infer_thousands(name: str, present: pl.Series, table: Table) -> str:
    """The thousands separator with which most cells are numbers, such as 1,234,567 and 950; not 0,123.

    The others are words without a digit, which are for `_na_spellings` and invalid_cells.py once the numbers are read.
    """
    dialect = table.dialect_of(name)
    if present.dtype != pl.String or table.dialect.thousands is not None or are_addresses_or_phone_numbers(present):
        return ""
    unit = infer_unit(present)
    for mark in THOUSANDS:
        between = separator_pattern(mark)
        if mark in (dialect.decimal, table.dialect.decimal) or present.str.contains(rf"^\s*[+-]?0+{between}").any():
            continue
        if mark == "," and table.dialect.decimals and not DecimalMarks.of(present.str.strip_chars(), None).clear:
            continue  # 1,234 beside columns with a decimal comma
        if not present.str.contains(rf"\d{between}\d").any():  # ids such as 007 are numbers with any separator
            continue
        others = present.filter(parse_numbers(present, dialect.model_copy(update={"thousands": mark}), unit).is_null())
        if 2 * len(others) < len(present) and not others.str.contains(DIGIT).any():
            return mark
    return ""


def _are_all_integers(present: pl.Series) -> bool:
    """Whether all cells are integers, of any length."""
    return present.dtype.is_integer() or bool(present.cast(pl.String).str.contains(r"^\s*[+-]?[0-9]+\s*$").all())


def _is_key(column: ColumnProfile, present: pl.Series, table: Table) -> bool:
    """Whether unique values are ids of the rows: single words or integers.

    As measurements may be unique too, numbers must be named like a key or be row numbers: consecutive ones, or
    ascending ones of which few are absent, as where rows without a target were left out.
    """
    named = is_named_like_a_key(column.name)
    if column.rows < MIN_ROWS_FOR_KEY and not named:
        return False
    if column.kind.is_numeric:
        x = parse_numbers(present, table.dialect_of(column.name), column.unit)
        first, last = column.lowest, column.highest
        if first is None or last is None or not (x == x.floor()).all():
            return False
        if last - first == column.rows - 1:
            is_row_number = first in (0.0, 1.0)
        else:
            is_near = 0.0 <= first <= MAX_FIRST_ROW_NUMBER and last <= MAX_ROW_NUMBER * column.rows
            is_row_number = is_near and x.is_sorted()
        return named or (is_row_number and not TIME_WORDS & set(words_of_name(column.name)))
    if present.dtype == pl.String:
        return column.label is not ColumnType.DATE and not present.str.contains(SEVERAL_WORDS).any()
    return present.dtype.is_integer()  # too long for float64


def _na_spellings(column: ColumnProfile, present: pl.Series, table: Table) -> tuple[str, ...]:
    """The cells that are not numbers, if all of them are missing-value markers such as `unknown`; else ().

    A column that is categorical without doubt, with at most MAX_CATEGORIES categories, stays so.
    """
    numbers = parse_numbers(present, table.dialect_of(column.name), infer_unit(present))
    others = present.filter(numbers.is_null()).unique().to_list()
    if column.error is None and column.distinct <= MAX_CATEGORIES + len(others):
        return ()
    return tuple(sorted(others)) if all(text.strip().casefold() in MISSING_WORDS for text in others) else ()


def words_of_name(name: str) -> list[str]:
    """The words of a name in lower case: customer and id for `customerID`."""
    return [part.lower() for part in NAME_PARTS.findall(name)]


def is_named_like_a_key(name: str) -> bool:
    """Whether a column is named like a key: id, rowid, PassengerId, order_no, Unnamed: 0."""
    parts = words_of_name(name)
    ends = {*parts[:1], *parts[-1:]}
    return bool(
        ends & KEY_NAMES or ENTITY_KEY.fullmatch("".join(parts)) or UNNAMED_COLUMN.fullmatch(name.strip().lower())
    )


HISTOGRAM_BARS = 20
HISTOGRAM_ENDS = (0.01, 0.99)
"""Quantiles between which the bars of a histogram lie; the outermost ones include all numbers beyond."""


def profile_numbers(dense: DenseColumns) -> list[ColumnProfile]:
    """The kinds and statistics of columns of finite numbers, at least one row; without label and recommendation."""
    if not len(dense.names):
        return []
    X = np.sort(dense.x, axis=1)
    rows = X.shape[1]
    is_first = np.ones(X.shape, np.bool_)
    np.not_equal(X[:, 1:], X[:, :-1], out=is_first[:, 1:])
    with np.errstate(over="ignore", invalid="ignore"):
        means = dense.x.mean(axis=1)
        medians = (X[:, (rows - 1) // 2] + X[:, rows // 2]) / 2.0
    distinct = is_first.sum(axis=1).tolist()
    statistics: dict[str, list[Any]] = {
        "distinct": distinct,
        "top_values": _top_values(X, is_first, distinct),
        "lowest": X[:, 0].tolist(),
        "highest": X[:, -1].tolist(),
        "mean": means.tolist(),
        "median": medians.tolist(),
        "histogram": _histograms(X),
    }
    return [
        ColumnProfile(
            name, ColumnType.NUMERIC, ColumnType.NUMERIC, rows, 0, **dict(zip(statistics, values, strict=True))
        )
        for name, *values in zip(dense.names, *statistics.values(), strict=True)
    ]


def _top_values(X: Floats, is_first: Mask, distinct: list[int]) -> list[tuple[tuple[str, int], ...]]:
    """The most frequent values of each column of X (columns, rows), sorted, with their counts; of equals the lowest."""
    rows, values, counts = X.shape[1], [], []
    for x, first, n in zip(X, is_first, distinct, strict=True):
        if n == rows:
            values.append(x[:MAX_TOP_VALUES])
            counts.append(np.ones(min(rows, MAX_TOP_VALUES), np.int64))
            continue
        starts = np.flatnonzero(first)
        lengths = np.diff(starts, append=rows)
        order = np.argsort(-lengths, kind="stable")[:MAX_TOP_VALUES]
        values.append(x[starts[order]])
        counts.append(lengths[order])
    texts = read_text(Table(pl.DataFrame({"value": np.concatenate(values)}), ""), "value").to_list()
    pairs = list(zip(texts, np.concatenate(counts).tolist(), strict=True))
    ends = np.cumsum([len(part) for part in counts]).tolist()
    return [tuple(pairs[end - len(part) : end]) for end, part in zip(ends, counts, strict=True)]


def _histograms(X: Floats) -> list[tuple[int, ...]]:
    """The histogram of each column of X (columns, rows), sorted: one bar for each of few integers."""
    first, last = X[:, 0], X[:, -1]
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.quantile(X, HISTOGRAM_ENDS, axis=1)
        is_flat = ~(low < high)
        low, high = np.where(is_flat, first, low)[:, None], np.where(is_flat, last, high)[:, None]
        span = high - low
        place = (X.clip(low, high) - low) / np.where(span > 0.0, span, 1.0) * HISTOGRAM_BARS
        width = last - first
        are_few = (width < HISTOGRAM_BARS) & (np.floor(X) == X).all(axis=1)
    n_bars = np.where((span[:, 0] > 0.0) & np.isfinite(span[:, 0]), HISTOGRAM_BARS, 1)
    n_bars[are_few] = width[are_few] + 1.0
    place[are_few] = X[are_few] - first[are_few, None]
    place[(n_bars == 1) & ~are_few] = 0.0
    bars = np.clip(place, 0, HISTOGRAM_BARS - 1).astype(np.int64) + HISTOGRAM_BARS * np.arange(len(X))[:, None]
    counts = np.bincount(bars.reshape(-1), minlength=HISTOGRAM_BARS * len(X)).reshape(len(X), HISTOGRAM_BARS)
    return [tuple(count[:n]) for count, n in zip(counts.tolist(), n_bars.tolist(), strict=True)]


def histogram_of(x: Floats) -> tuple[int, ...]:
    """The number of values in each of at most HISTOGRAM_BARS bars of equal width; one for each of few integers."""
    return _histograms(np.sort(x)[None])[0] if len(x) else ()


# Profiles of many columns of text at once, where the cells are words, or dates of one format. For a table of thousands
# of columns and few rows, thirty calls of Polars for each would take most of the time.


SEPARATED_DIGITS = rf"\d(?:[,.']|{SPACES_BETWEEN})\d"
DIGIT_AND_LETTER = r"[0-9].*[A-DF-Za-df-z]|[A-DF-Za-df-z].*[0-9]"
"""No number, whatever separates its thousands; e may be an exponent."""


def profile_texts(columns: Sequence[pl.Series], dialect: CsvDialect) -> dict[str, ColumnProfile]:
    """The profiles of those columns of text that hold words or dates without doubt, without recommendation.

    With the thousands separators that `init` would look for, none of these columns is one of numbers either. Others
    may hold anything, and are profiled one at a time.
    """
    if not columns or not len(columns[0]) or dialect.date_format != AUTO:
        return {}
    n, rows = len(columns), len(columns[0])
    cells = stacked(columns)
    present = _count(cells.is_not_null(), n)
    is_amount = cells.str.strip_chars().str.contains(f"{NUMBER_WITH_SIGN}|{AS_IN_ACCOUNTING}")
    is_number = any_in_column(parse_numbers(cells, dialect).is_not_null() | is_amount, n)
    is_number |= 2 * _count(cells.str.contains(NUMBER_WITH_WORD), n) > present
    are_words, are_dates = _words(cells, present, is_number), _dates(columns, cells, present, is_number)
    chosen = np.flatnonzero(are_words | are_dates)
    distinct, top_values = _values([columns[j] for j in chosen.tolist()])
    profiles = {}
    for j, count, top in zip(chosen.tolist(), distinct, top_values, strict=True):
        kind = ColumnType.DATE if are_dates[j] else ColumnType.CATEGORICAL
        if are_words[j] and are_phrases(columns[j], count):
            kind = ColumnType.TEXT
        name, missing = columns[j].name, rows - int(present[j])
        profiles[name] = ColumnProfile(name, kind, kind, rows, missing, distinct=count, top_values=top)
    return profiles


def _words(cells: pl.Series, present: Counts, is_number: Mask) -> Mask:
    """Which of the columns (columns,) have a cell, and none that is, or looks like, a number, a date or a duration.

    `is_number` says which columns have a number or an amount.
    """
    n = len(present)
    dates = _count(cells.str.contains(DATE_LIKE), n)
    may_be_numbers = any_in_column(cells.str.contains(SEPARATED_DIGITS), n)
    may_be_numbers &= ~any_in_column(cells.str.contains(DIGIT_AND_LETTER), n)
    may_be_numbers |= any_in_column(looks_like_a_number(cells), n)
    durations = _count(cells.str.contains(DURATION), n)
    months = _count(cells.str.contains(MONTH_LIKE), n)
    alike = _count(looks_like_a_date(cells), n)
    words: Mask = (
        (present > 0)
        & (2 * dates <= present)
        & (2 * months <= present)
        & (2 * alike <= present)
        & (2 * durations <= present)
        & ~may_be_numbers
        & ~is_number
    )
    return words


def _dates(columns: Sequence[pl.Series], cells: pl.Series, present: Counts, is_number: Mask) -> Mask:
    """Which of the columns (columns,) have a cell, and only dates in the one format that `infer_date_format` finds."""
    n = len(present)
    may_be = (2 * _count(cells.str.contains(DATE_LIKE), n) > present) & ~is_number
    if not may_be.any():
        return may_be
    chosen = np.flatnonzero(may_be)
    present, columns = present[chosen], [columns[j] for j in chosen.tolist()]
    cells = stacked(columns)
    is_iso = 2 * _count(cells.str.contains(pattern_of(ISO)), len(columns)) > present
    fits = np.zeros((len(DATE_FORMATS) + 1, len(columns)), np.int64)
    for parsed, form in zip(fits, (ISO, *DATE_FORMATS), strict=True):
        is_shaped = is_iso
        if form != ISO:
            is_shaped = ~is_iso & (2 * _count(cells.str.contains(pattern_of(form)), len(columns)) > present)
        shaped = np.flatnonzero(is_shaped)
        if len(shaped):
            moments = parse_dates(stacked([columns[j] for j in shaped.tolist()]), form)
            parsed[shaped] = _count(moments.is_not_null(), len(shaped))
    may_be[chosen] = (fits.max(axis=0) == present) & ((fits == present).sum(axis=0) == 1)
    return may_be


def _count(mask: pl.Series, columns: int) -> Counts:
    """The true cells of each column of a stacked mask, in which null is false."""
    counts: Counts = mask.fill_null(False).to_numpy().reshape(columns, -1).sum(axis=1)
    return counts


def _values(columns: Sequence[pl.Series]) -> tuple[list[int], list[tuple[tuple[str, int], ...]]]:
    """The number of distinct values of each column, and the most frequent ones with their counts, at least one."""
    if not columns:
        return [], []
    number = np.repeat(np.arange(len(columns)), len(columns[0]))
    cells = pl.DataFrame({"column": number, "value": stacked(columns)}).drop_nulls()
    counts = cells.group_by("column", "value").agg(pl.len().alias("rows"))
    counts = counts.sort("column", "rows", "value", descending=[False, True, False])
    distinct = np.bincount(counts["column"].to_numpy(), minlength=len(columns))
    pairs = list(zip(counts["value"].to_list(), counts["rows"].to_list(), strict=True))
    starts = (np.cumsum(distinct) - distinct).tolist()
    top = [
        tuple(pairs[start : start + min(MAX_TOP_VALUES, count)])
        for start, count in zip(starts, distinct.tolist(), strict=True)
    ]
    return distinct.tolist(), top
