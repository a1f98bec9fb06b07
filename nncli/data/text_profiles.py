"""Profiles of many columns of text at once, where the cells are words, or dates of one format.

For a table of thousands of columns and few rows, thirty calls of Polars for each would take most of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.column_profile import MAX_TOP_VALUES, ColumnProfile
from nncli.data.columns.codes import looks_like_a_number
from nncli.data.columns.datetimes import DATE_FORMATS, DATE_LIKE, ISO, parse_dates, pattern_of
from nncli.data.columns.parsing import parse_numbers
from nncli.data.columns.spellings import IN_PARENTHESES, NUMBER_WITH_SIGN
from nncli.data.dialect import AUTO, SPACES, CsvDialect
from nncli.data.encoders.kinds import Kind
from nncli.data.encoders.text import are_phrases
from nncli.data.table import any_in_column, stacked
from nncli.nn.arrays import Mask

Counts: TypeAlias = npt.NDArray[np.int64]

SEPARATED_DIGITS = rf"\d(?:[,.']|{SPACES})\d"
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
    is_amount = cells.str.contains(f"{NUMBER_WITH_SIGN}|{IN_PARENTHESES}")
    is_number = any_in_column(parse_numbers(cells, dialect).is_not_null() | is_amount, n)
    are_words, are_dates = _words(cells, present, is_number), _dates(columns, cells, present, is_number)
    chosen = np.flatnonzero(are_words | are_dates)
    distinct, top_values = _values([columns[j] for j in chosen.tolist()])
    profiles = {}
    for j, count, top in zip(chosen.tolist(), distinct, top_values, strict=True):
        kind = Kind.DATE if are_dates[j] else Kind.CATEGORICAL
        if are_words[j] and are_phrases(columns[j], count):
            kind = Kind.TEXT
        name, missing = columns[j].name, rows - int(present[j])
        profiles[name] = ColumnProfile(name, kind, kind, rows, missing, distinct=count, top_values=top)
    return profiles


def _words(cells: pl.Series, present: Counts, is_number: Mask) -> Mask:
    """Which of the columns (columns,) have a cell, and none that is, or looks like, a number or a date.

    `is_number` says which columns have a number or an amount.
    """
    n = len(present)
    dates = _count(cells.str.contains(DATE_LIKE), n)
    may_be_numbers = any_in_column(cells.str.contains(SEPARATED_DIGITS), n)
    may_be_numbers &= ~any_in_column(cells.str.contains(DIGIT_AND_LETTER), n)
    may_be_numbers |= any_in_column(looks_like_a_number(cells), n)
    words: Mask = (present > 0) & (2 * dates <= present) & ~may_be_numbers & ~is_number
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
