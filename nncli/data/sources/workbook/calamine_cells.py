"""Convert the cells of calamine, which are Python objects, to arrays."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import polars

from nncli.data.sources.workbook.grid import DAY, Column, Grid, Kind, concat

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

BATCH_ROWS = 4096
"""Rows that are converted at a time."""
EPOCH = datetime.date(1970, 1, 1).toordinal()
MICROSECOND = datetime.timedelta(microseconds=1)
ISO_DURATION = r"^(-?)PT([0-9]+)H([0-9]+)M([0-9]+(?:[.,][0-9]+)?)S$"
KINDS: dict[type, Kind] = {
    float: Kind.NUMBER,
    int: Kind.NUMBER,
    str: Kind.TEXT,
    bool: Kind.BOOLEAN,
    datetime.date: Kind.DATE,
    datetime.datetime: Kind.DATETIME,
    datetime.time: Kind.TIME,
    datetime.timedelta: Kind.DURATION,
}
TEMPORAL = (datetime.date, datetime.datetime, datetime.time, datetime.timedelta)


def grid_of(sheet: CalamineSheet) -> Grid:
    """The cells of a sheet that calamine has read."""
    if sheet.start is None:
        return Grid()
    top, left = sheet.start
    columns: list[list[Column]] = [[] for _ in range(sheet.width)]
    rows = islice(sheet.iter_rows(), top, None)  # calamine yields the empty rows above, too
    while batch := list(islice(rows, BATCH_ROWS)):
        for parts, cells in zip(columns, zip(*batch, strict=True), strict=True):
            parts.append(column_of(cells))
    return Grid(tuple(_without_blanks(concat(parts)) for parts in columns), top, left)


def _without_blanks(column: Column) -> Column:
    """The column, in which empty text and white space are empty cells."""
    if column.texts is None:
        return column
    is_blank = (column.texts.str.strip_chars() == "").fill_null(False).to_numpy()
    kinds = np.where(is_blank, np.uint8(Kind.EMPTY), column.kinds)
    return replace(column, kinds=kinds, texts=column.texts if (kinds == Kind.TEXT).any() else None)


def with_durations(grid: Grid) -> Grid:
    """The grid of an .ods sheet, in which a time is a duration, with both alike in every column.

    calamine reads a duration of less than a day as a time, and leaves longer ones as text.
    """
    columns = []
    for column in grid.columns:
        texts = column.texts
        found = None if texts is None else texts.str.extract_groups(ISO_DURATION).struct.unnest()
        if found is None or found.to_series().null_count() == len(column.kinds):
            columns.append(column)
            continue
        sign, hours, minutes, seconds = found.get_columns()
        total = (hours.cast(polars.Int64) * 60 + minutes.cast(polars.Int64)) * 60 + seconds.cast(polars.Float64)
        lasts = (total * 1e6 * polars.Series(np.where(sign == "-", -1.0, 1.0))).round(0).cast(polars.Int64)
        is_long = (hours.is_not_null().to_numpy()) & (column.kinds == Kind.TEXT)
        kinds = np.where(is_long | (column.kinds == Kind.TIME), np.uint8(Kind.DURATION), column.kinds)
        times = column.times if column.times is not None else np.zeros(len(kinds), np.int64)
        columns.append(replace(column, kinds=kinds, times=np.where(is_long, lasts.fill_null(0).to_numpy(), times)))
    return replace(grid, columns=tuple(columns))


def column_of(cells: Sequence[object]) -> Column:
    """The column of some cells as calamine represents them; an empty cell is the text ""."""
    types = set(map(type, cells))
    if types == {float}:
        return Column(np.full(len(cells), Kind.NUMBER, np.uint8), np.array(cells, np.float64))
    if types == {str}:
        kinds = np.full(len(cells), Kind.TEXT, np.uint8)
        return Column(kinds, texts=polars.Series(values=cells, dtype=polars.String))
    if types in ({datetime.date}, {datetime.datetime}):
        kind = Kind.DATE if types == {datetime.date} else Kind.DATETIME
        times = polars.Series(values=cells).cast(polars.Datetime("us")).to_physical().to_numpy()
        return Column(np.full(len(cells), kind, np.uint8), times=times)
    column = Column(np.fromiter(map(KINDS.__getitem__, map(type, cells)), np.uint8, len(cells)))
    if str in types:
        texts = [cell if type(cell) is str else None for cell in cells]
        column.texts = polars.Series(values=texts, dtype=polars.String)
    if types & {float, int, bool}:
        column.numbers = np.array([cell if isinstance(cell, float | int) else np.nan for cell in cells], np.float64)
    if types & {*TEMPORAL}:
        column.times = np.array([microseconds(cell) if type(cell) in TEMPORAL else 0 for cell in cells], np.int64)
    return column


def microseconds(cell: object) -> int:
    """A date or a moment in microseconds from 1970, a time from midnight, or a duration."""
    if isinstance(cell, datetime.datetime):
        return microseconds(cell.date()) + microseconds(cell.time())
    if isinstance(cell, datetime.date):
        return (cell.toordinal() - EPOCH) * DAY
    if isinstance(cell, datetime.time):
        return ((cell.hour * 60 + cell.minute) * 60 + cell.second) * 1_000_000 + cell.microsecond
    assert isinstance(cell, datetime.timedelta)
    return cell // MICROSECOND
