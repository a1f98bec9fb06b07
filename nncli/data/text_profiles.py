"""Profiles of many columns of text at once, where the cells are words, or dates as in 2024-05-31.

For a table of thousands of columns and few rows, thirty calls of Polars for each would take most of the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from nncli.data.column_profile import MAX_TOP_VALUES, ColumnProfile
from nncli.data.columns.codes import looks_like_a_number
from nncli.data.columns.datetimes import DATE_LIKE, ISO, parse_dates
from nncli.data.columns.parsing import parse_numbers
from nncli.data.columns.units import IN_PARENTHESES, NUMBER_WITH_SIGN
from nncli.data.dialect import AUTO, SPACES, CsvDialect
from nncli.data.encoders.kinds import Kind
from nncli.data.encoders.text import are_phrases
from nncli.data.stacked import any_in_column, stacked
from nncli.nn.arrays import Mask

ISO_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
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
    present = cells.is_not_null().to_numpy().reshape(n, rows).sum(axis=1)
    are_words, are_dates = _words(cells, present, dialect), _dates(columns, cells, present)
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


def _words(cells: pl.Series, present: np.ndarray[tuple[int], np.dtype[np.int64]], dialect: CsvDialect) -> Mask:
    """Which of the columns (columns,) have a cell, and none that is, or looks like, a number, an amount or a date."""
    n = len(present)
    is_number = parse_numbers(cells, dialect).is_not_null()
    is_amount = cells.str.contains(f"{NUMBER_WITH_SIGN}|{IN_PARENTHESES}") | looks_like_a_number(cells)
    is_date = cells.str.contains(DATE_LIKE).fill_null(False).to_numpy().reshape(n, -1)
    may_have_thousands = any_in_column(cells.str.contains(SEPARATED_DIGITS), n)
    may_have_thousands &= ~any_in_column(cells.str.contains(DIGIT_AND_LETTER), n)
    words: Mask = (present > 0) & ~any_in_column(is_number | is_amount, n) & ~may_have_thousands
    of_words: Mask = words & (2 * is_date.sum(axis=1) <= present)
    return of_words


def _dates(columns: Sequence[pl.Series], cells: pl.Series, present: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Mask:
    """Which of the columns (columns,) have a cell, and none that is not a day in ISO format."""
    n = len(present)
    dates: Mask = (present > 0) & ~any_in_column(~cells.str.contains(ISO_DAY), n)
    found = np.flatnonzero(dates)
    if len(found):
        candidates = stacked([columns[j] for j in found.tolist()])
        is_odd = parse_dates(candidates, ISO).is_null() & candidates.is_not_null()
        dates[found] = ~any_in_column(is_odd, len(found))
    return dates


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
