"""The types of columns that are written to a database: those of a new table, and whether those of an old one fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import polars as pl

from nncli.base.errors import Advice, DataError, Location, UseOption
from nncli.base.text import join_quoted, quote
from nncli.data.columns.parsing import LEADING_ZERO
from nncli.data.sources.database.address import DatabaseKind
from nncli.data.sources.database.database import TEXT_TYPES, WIDE_INTEGERS, DatabaseTable

ACCEPTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"bool(ean)?|bit(\(1\))?", ("boolean",)),
    (r"tinyint\(1\)", ("boolean", "integer")),
    (r"u?(tiny|small|medium|big|huge)?int(eger)?[248]?( ?\(\d+\))?( unsigned)?|(small|big)?serial", ("integer",)),
    (r"(double( precision)?|real|float[48]?|numeric|decimal|money)( ?\(.*\))?( unsigned)?", ("integer", "number")),
    (r"date", ("date",)),
    (r"timestamptz|timestamp( ?\(\d\))? with time zone", ("zoned",)),
    (r"(timestamp|datetime)(_s|_ms|_ns)?( ?\(\d\))?( without time zone)?", ("timestamp",)),
    (r"time( ?\(\d\))?( with(out)? time zone)?", ("time",)),
    (r"interval.*", ("duration",)),
    (r"(long|medium|tiny)?text|(n?var)?char( ?\(.*\))?|character( varying)?( ?\(.*\))?|bpchar|string|clob", ("text",)),
    (r"bytea|(long|medium|tiny)?blob|(var)?binary( ?\(.*\))?", ("bytes",)),
)
"""Patterns of types, and the families of values that fit them. What fits other types the database decides."""
FLOAT = r"(double( precision)?|real|float[48]?)( ?\(.*\))?( unsigned)?"
EXACT = 2**53
"""Beyond it a float does not hold every integer."""
MAX_DIGITS = 17
"""Digits of a number of double precision."""


def matches(form: str, type_name: str) -> bool:
    """Whether a type of a database has this form."""
    return re.fullmatch(form, type_name.strip().lower()) is not None


def family_of(dtype: pl.DataType) -> str | None:
    """The family of values of a type; None for lists, objects and others that no table is written with."""
    if dtype.is_integer():
        return "integer"
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, TEXT_TYPES):
        return "text"
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return "zoned"
    families: dict[type[pl.DataType], str] = {
        pl.Boolean: "boolean",
        pl.Date: "date",
        pl.Datetime: "timestamp",
        pl.Time: "time",
        pl.Duration: "duration",
        pl.Binary: "bytes",
    }
    return families.get(dtype.base_type())


def check_writable(frame: pl.DataFrame, source: str) -> None:
    """Raise a DataError if a column has a type that no table of a database is written with."""
    for name, dtype in frame.schema.items():
        if family_of(dtype) is None:
            raise DataError(
                f"a column of type {dtype} cannot be written to a database",
                location=Location(source=source, column=name),
                hint=Advice("Leave it out of ", UseOption("keep", "keep"), "."),
            )


def fitted(frame: pl.DataFrame, table: DatabaseTable, source: str, kind: DatabaseKind) -> pl.DataFrame:
    """The frame with text as numbers, dates or booleans where the columns of an existing table are such.

    Raises:
        DataError: the table lacks a column, or values do not fit its type.
    """
    types = {column.name.casefold(): column.type for column in table.columns}
    missing = [name for name in frame.columns if name.casefold() not in types]
    if missing:
        listed = join_quoted([column.name for column in table.columns], max_words=20)
        raise DataError(
            f"the table has no column{'s' * (len(missing) > 1)} {join_quoted(missing)}",
            location=Location(source=source),
            hint=f"Its columns are {listed}. Add what is missing, or name another table.",
        )
    columns = [_fitted_column(cells, types[cells.name.casefold()], source, kind) for cells in frame.get_columns()]
    return pl.DataFrame(columns)


def _fitted_column(cells: pl.Series, type_name: str, source: str, kind: DatabaseKind) -> pl.Series:
    """The cells as values that fit a type."""
    accepted = next((families for form, families in ACCEPTED if matches(form, type_name)), None)
    family = family_of(cells.dtype)
    if accepted is None or family in _also(accepted, kind, cells.dtype):
        if (large := _first_rounded(cells, type_name)) is None:
            return cells
        problem = f"{large:,} has more digits than the type {type_name} of the table holds"
    elif family == "text" and accepted[-1] in PARSERS:
        texts = cells.cast(pl.String)
        parsed: pl.Series = PARSERS[accepted[-1]](texts)
        invalid = parsed.is_null() & texts.is_not_null()
        if not invalid.any():
            return parsed
        problem = f"{quote(texts[int(invalid.arg_max() or 0)])} does not fit the type {type_name} of the table"
    else:
        problem = f"values of type {cells.dtype} do not fit the type {type_name} of the table"
    raise DataError(
        problem, location=Location(source=source, column=cells.name), hint="Change the type, or name another table."
    )


def _also(accepted: Sequence[str], kind: DatabaseKind, dtype: pl.DataType) -> tuple[str, ...]:
    """The families that fit a type in a database of this kind, also those that it has no type for."""
    others: tuple[str, ...] = ()
    if kind is DatabaseKind.SQLITE and "text" in accepted:
        others = ("date", "timestamp", "zoned", "time", *(["integer"] if isinstance(dtype, WIDE_INTEGERS) else []))
    if kind is DatabaseKind.MYSQL and "timestamp" in accepted:  # both are UTC in the session that writes
        others = ("zoned",)
    if kind in (DatabaseKind.SQLITE, DatabaseKind.MYSQL) and "number" in accepted:
        others = ("duration",)
    return (*accepted, *others)


def _first_rounded(cells: pl.Series, type_name: str) -> int | None:
    """The first integer that a column of floats would round."""
    if not cells.dtype.is_integer() or not matches(FLOAT, type_name):
        return None
    rounded = cells.filter((cells > EXACT) | (cells < -EXACT))
    return None if rounded.is_empty() else int(rounded[0])


def _whole_numbers(texts: pl.Series) -> pl.Series:
    """Text as integers; 007 is none, as it would lose its zeros."""
    return texts.set(texts.str.contains(LEADING_ZERO), None).cast(pl.Int64, strict=False)


def _numbers(texts: pl.Series) -> pl.Series:
    """Text as numbers of double precision; none if it has more digits."""
    digits = texts.str.replace("[eE].*", "").str.replace_all("[^0-9]", "").str.strip_chars_start("0").str.len_chars()
    return texts.set(texts.str.contains(LEADING_ZERO) | (digits > MAX_DIGITS), None).cast(pl.Float64, strict=False)


PARSERS: dict[str, Callable[[pl.Series], pl.Series]] = {
    "integer": _whole_numbers,
    "number": _numbers,
    "boolean": lambda texts: texts.str.to_lowercase().replace_strict(
        {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
    ),
    "date": lambda texts: texts.str.to_date("%Y-%m-%d", strict=False),
}
"""How text, as all cells of a CSV are, becomes what a column of another type holds; null if it cannot."""
