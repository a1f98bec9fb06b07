"""The types of columns that are written to a database: those of a new table, and whether those of an old one fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from nncli.data.sources.database.database import DatabaseTable
from nncli.errors import DataError, Location
from nncli.text import join_quoted, quote

TEXT_TYPES = (pl.String, pl.Categorical, pl.Enum, pl.Null)
ACCEPTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"bool(ean)?|bit(\(1\))?", ("boolean",)),
    (r"tinyint\(1\)", ("boolean", "integer")),
    (r"u?(tiny|small|medium|big|huge)?int(eger)?[248]?( ?\(\d+\))?( unsigned)?|(small|big)?serial", ("integer",)),
    (r"(double( precision)?|real|float[48]?|numeric|decimal|money)( ?\(.*\))?( unsigned)?", ("integer", "number")),
    (r"date", ("date",)),
    (r"(timestamp|datetime)(_s|_ms|_ns)?( ?\(\d\))?( with(out)? time zone)?|timestamptz", ("timestamp",)),
    (r"time( ?\(\d\))?( with(out)? time zone)?", ("time",)),
    (r"interval.*", ("duration",)),
    (r"(long|medium|tiny)?text|(n?var)?char( ?\(.*\))?|character( varying)?( ?\(.*\))?|bpchar|string|clob", ("text",)),
    (r"bytea|(long|medium|tiny)?blob|(var)?binary( ?\(.*\))?", ("bytes",)),
)
"""Patterns of types, and the families of values that fit them. What fits other types the database decides."""


@dataclass(frozen=True)
class TypeNames:
    """The types of a database, by type of Polars; `decimal` has {precision} and {scale}."""

    names: Mapping[type[pl.DataType], str]
    zoned: str
    decimal: str

    def of(self, dtype: pl.DataType) -> str:
        """The type of a new column."""
        if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
            return self.zoned
        if isinstance(dtype, pl.Decimal):
            return self.decimal.format(precision=dtype.precision, scale=dtype.scale)
        return self.names[dtype.base_type()]


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
                hint="Leave it out of --keep.",
            )


def fitted(frame: pl.DataFrame, table: DatabaseTable, source: str, *, is_loose: bool) -> pl.DataFrame:
    """The frame with text as numbers, dates or booleans where the columns of an existing table are such.

    With `is_loose`, columns hold whatever is written to them: dates and times may be text.

    Raises:
        DataError: the table lacks a column, or values do not fit its type.
    """
    types = {column.name.casefold(): column.type for column in table.columns}
    missing = [name for name in frame.columns if name.casefold() not in types]
    if missing:
        known = join_quoted([column.name for column in table.columns], max_words=20)
        raise DataError(
            f"the table has no column{'s' * (len(missing) > 1)} {join_quoted(missing)}",
            location=Location(source=source),
            hint=f"Its columns are {known}. Add what is missing, or name another table.",
        )
    columns = [
        _fitted_column(cells, types[cells.name.casefold()], source, is_loose=is_loose) for cells in frame.get_columns()
    ]
    return pl.DataFrame(columns)


def _fitted_column(cells: pl.Series, type_name: str, source: str, *, is_loose: bool) -> pl.Series:
    """The cells as values that fit a type."""
    accepted = next((families for form, families in ACCEPTED if matches(form, type_name)), None)
    family = family_of(cells.dtype)
    if accepted is None or family in accepted or (is_loose and accepted == ("text",) and family in LOOSE):
        return cells
    if family == "text" and accepted[-1] in PARSERS:
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


LOOSE = ("date", "timestamp", "time")
PARSERS: dict[str, Any] = {
    "integer": lambda texts: texts.cast(pl.Int64, strict=False),
    "number": lambda texts: texts.cast(pl.Float64, strict=False),
    "boolean": lambda texts: texts.str.to_lowercase().replace_strict(
        {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
    ),
    "date": lambda texts: texts.str.to_date("%Y-%m-%d", strict=False),
}
"""How text, as all cells of a CSV are, becomes what a column of another type holds; null if it cannot."""
