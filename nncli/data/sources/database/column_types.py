"""Columns of a database as the types that encoders read: no decimals, dictionaries or types of the driver's own.

decimal     float64, the nearest; an integer beyond 2^53 that it cannot hold is refused
timestamp   in UTC if it has a zone; years 1 to 9999, so `infinity` is refused
dictionary  text
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal

import polars as pl

from nncli.base.errors import DataError, Location

EXACT = 2.0**53
"""From here on, float64 does not hold every integer."""
FIRST_DAY, LAST_DAY = (
    date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
    for year, month, day in [(1, 1, 1), (9999, 12, 31)]
)


def plain_columns(frame: pl.DataFrame, source: str, first_row: int, decimals: Collection[str] = ()) -> pl.DataFrame:
    """A frame with columns of plain types. Those of `decimals` are the text of numbers.

    Raises:
        DataError: a number or a date cannot be held.
    """
    columns = []
    for cells in frame:
        try:
            columns.append(plain_column(cells, is_decimal=cells.name in decimals))
        except _CellError as error:
            row = None if error.position is None else first_row + error.position
            raise DataError(
                error.message,
                location=Location(source=source, row=row, column=cells.name),
                hint=error.hint,
            ) from None
    return pl.DataFrame(columns)


class _CellError(Exception):
    def __init__(self, position: int | None, message: str, hint: str) -> None:
        super().__init__(message)
        self.position, self.message, self.hint = position, message, hint


def plain_column(cells: pl.Series, *, is_decimal: bool = False) -> pl.Series:
    """A column as one of a plain type."""
    if isinstance(cells.dtype, getattr(pl, "BaseExtension", ())):  # from Polars 1.36 on
        cells = cells.ext.storage()
    if is_decimal or isinstance(cells.dtype, pl.Decimal):
        return _as_floats(cells.cast(pl.String))
    if isinstance(cells.dtype, pl.Categorical | pl.Enum | pl.Null):
        return cells.cast(pl.String)
    if isinstance(cells.dtype, pl.Datetime):
        per_day = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}[cells.dtype.time_unit]
        _check_days(cells.to_physical(), per_day)
        return cells if cells.dtype.time_zone is None else cells.dt.convert_time_zone("UTC")
    if isinstance(cells.dtype, pl.Date):
        _check_days(cells.to_physical(), 1)
    if isinstance(cells.dtype, pl.List) and cells.dtype.inner.is_temporal():
        _check_elements(cells)
    return cells


def _check_elements(lists: pl.Series) -> None:
    """Raise if an element of a list cannot be held, for the cell that has it."""
    elements = lists.explode()
    try:
        plain_column(elements)
    except _CellError as error:
        positions = pl.Series(range(len(lists))).repeat_by(lists.list.len().fill_null(1).clip(1)).explode()
        position = None if error.position is None else int(positions[error.position])
        raise _CellError(position, error.message, "In a query, cast the column to text.") from None


def _as_floats(texts: pl.Series) -> pl.Series:
    """The nearest float64 of each number."""
    numbers = texts.cast(pl.Float64)
    beyond = numbers.is_infinite() & ~texts.str.to_lowercase().str.contains("inf", literal=True)
    for i in beyond.fill_null(value=False).arg_true():
        raise _CellError(
            i,
            "the number is too large for one of double precision",
            "In a query, cast the column to text, or take the logarithm.",
        )
    large = (numbers.abs() >= EXACT) & numbers.is_finite()
    for i in large.arg_true():
        exact = Decimal(texts[i])
        if exact == exact.to_integral_value() and Decimal(numbers[i]) != exact:
            raise _CellError(
                i,
                f"the number {texts[i]} has too many digits for a number of double precision",
                "If it is an identifier, cast it to text in a query; if it is a quantity, to double precision.",
            )
    return numbers


def _check_days(physical: pl.Series, per_day: int) -> None:
    """Raise if a date or time is outside the years 1 to 9999."""
    outside = ((physical < FIRST_DAY * per_day) | (physical >= (LAST_DAY + 1) * per_day)).arg_true()
    if not len(outside):
        return
    raise _CellError(
        outside[0],
        "the date is infinite, or not in the years 1 to 9999",
        "In a query, replace it by NULL, for example with NULLIF.",
    )
