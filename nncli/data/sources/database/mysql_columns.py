"""The columns of a result of MySQL: from cells as text to the type that the server names.

bit(1)      boolean; longer ones are integers
time        seconds: it may be negative, or longer than a day
timestamp   UTC; datetime has no zone
enum, set   text
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl

BINARY_CHARSET = 63
TIMES = "%Y-%m-%d %H:%M:%S%.f"
Convert: TypeAlias = Callable[[pl.Series], pl.Series]

CONVERSIONS: dict[str, Convert] = {
    "integer": lambda texts: texts.cast(pl.Int64),
    "unsigned integer": lambda texts: texts.cast(pl.UInt64),
    "number": lambda texts: texts.cast(pl.Float64),
    "date": lambda texts: texts.str.to_date("%Y-%m-%d"),
    "datetime": lambda texts: texts.str.to_datetime(TIMES, time_unit="us"),
    "timestamp": lambda texts: texts.str.to_datetime(TIMES, time_unit="us").dt.replace_time_zone("UTC"),
    "time": lambda texts: texts.map_elements(seconds_of, return_dtype=pl.Float64),
}
"""What becomes of text; decimals are converted later, other text is kept."""


@dataclass(frozen=True)
class MysqlColumn:
    """A column of a result, with what its cells are."""

    name: str
    kind: str

    @classmethod
    def of(cls, field: Any) -> MysqlColumn:
        """The column that the server describes."""
        return cls(field.name, _kind_of(field))

    def series(self, cells: Sequence[Any]) -> pl.Series:
        """The cells as a column.

        Raises:
            polars.exceptions.PolarsError: a cell is not of the kind, such as the date 0000-00-00.
        """
        if self.kind == "binary":
            return pl.Series(self.name, cells, dtype=pl.Binary)
        if self.kind in ("bit", "bits"):
            numbers = [None if cell is None else int.from_bytes(cell, "big") for cell in cells]
            integers = pl.Series(self.name, numbers, dtype=pl.UInt64)
            return integers.cast(pl.Boolean) if self.kind == "bit" else integers
        texts = pl.Series(self.name, cells, dtype=pl.String)
        return CONVERSIONS[self.kind](texts) if self.kind in CONVERSIONS else texts

    def accepts(self, cell: Any) -> bool:
        """Whether a cell is of the kind of the column."""
        try:
            self.series([cell])
        except pl.exceptions.PolarsError:
            return False
        return True


def _kind_of(field: Any) -> str:
    """What the cells of a column are."""
    from pymysql.constants import FIELD_TYPE, FLAG

    code, is_unsigned = field.type_code, bool(field.flags & FLAG.UNSIGNED)
    if code in (FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.YEAR):
        return "integer"
    if code == FIELD_TYPE.BIT:
        return "bit" if field.length == 1 else "bits"
    if code == FIELD_TYPE.JSON:
        return "text"
    kinds = {
        FIELD_TYPE.LONGLONG: "unsigned integer" if is_unsigned else "integer",
        FIELD_TYPE.FLOAT: "number",
        FIELD_TYPE.DOUBLE: "number",
        FIELD_TYPE.DECIMAL: "decimal",
        FIELD_TYPE.NEWDECIMAL: "decimal",
        FIELD_TYPE.DATE: "date",
        FIELD_TYPE.NEWDATE: "date",
        FIELD_TYPE.DATETIME: "datetime",
        FIELD_TYPE.TIMESTAMP: "timestamp",
        FIELD_TYPE.TIME: "time",
        FIELD_TYPE.NULL: "text",
    }
    return kinds.get(code) or ("binary" if field.charsetnr == BINARY_CHARSET else "text")


def seconds_of(time: str) -> float:
    """The seconds of a time such as -12:30:00.5."""
    hours, minutes, seconds = time.lstrip("-").split(":")
    total = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return -total if time.startswith("-") else total


def backquoted(name: str) -> str:
    """A name in back quotes."""
    return "`" + name.replace("`", "``") + "`"
