"""The dialect of a CSV file: encoding, separator, number format and date format."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from nncli.base.spec import Spec, StrictBool, StrictStr

AUTO: Literal["auto"] = "auto"
COMMA, SEMICOLON, TAB, BAR = ",", ";", "\t", "|"
DEFAULT_MISSING_VALUES = ("", "NA")
"""Cells that are missing values unless a configuration says otherwise."""
DIRECTIVE = re.compile(r"%(?:\.f|.?)", re.DOTALL)
DIRECTIVES = {
    **{"%Y": "year", "%y": "year", "%m": "month", "%b": "month", "%B": "month", "%d": "day"},
    **{"%H": "hour", "%I": "hour", "%M": "minute", "%S": "second", "%.f": "fraction", "%p": "half", "%z": "zone"},
}
"""The directives that a date format may have, and the part of the date that each stands for."""
PROBE = 'a1,.;"\n'
NOT_FOR_FILES = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")


def validate_encoding(name: str) -> str:
    """Validate an encoding: Python has such a codec, and it can decode a stream."""
    if name == AUTO:
        return name
    try:
        codec = codecs.lookup(name)
        is_supported = codec.incrementaldecoder is not None and codec.name not in NOT_FOR_FILES
        is_supported = is_supported and PROBE.encode(name).decode(name) == PROBE
    except (LookupError, ValueError, TypeError):
        is_supported = False
    if not is_supported:
        raise ValueError(f"unknown encoding {name!r}; use auto, utf-8, latin-1, cp1252, utf-16 or another of Python's")
    return name


def single_character(what: str, forbidden: str) -> AfterValidator:
    def check(value: str) -> str:
        if value != AUTO and (len(value) != 1 or value in forbidden or value.isalnum() or not value.isascii()):
            raise ValueError(
                f"{what} must be one ASCII character other than a letter, digit, quote or line end: found {value!r}"
            )
        return value

    return AfterValidator(check)


def validate_date_format(value: str) -> str:
    """Validate a date format: year, month and day, each once, and both of hour and minute or neither; or a month."""
    parts = DIRECTIVE.findall(value)
    has = {DIRECTIVES.get(part, "") for part in parts}
    whole = (
        {"year", "month"} <= has
        and ("day" in has or len(has) == 2)
        and ("hour" in has) == ("minute" in has)
        and ("%I" in parts) == ("%p" in parts)
    )
    if value != AUTO and not (whole and "" not in has and len(has) == len(parts)):
        raise ValueError(
            "a date format has %Y or %y; %m, %b or %B; and, unless it is of months, %d; optionally %H (or %I with %p), "
            f"%M, %S, %.f and %z, as in %d.%m.%Y or %m/%d/%Y %H:%M: found {value!r}"
        )
    return value


def validate_thousands(value: str) -> str:
    if len(value) != 1 or value.isalnum() or value in '"\n\r\0+-':
        raise ValueError(f"a thousands separator must be one character, such as ',' or ' ': found {value!r}")
    return value


Encoding = Annotated[StrictStr, AfterValidator(validate_encoding)]
Separator = Annotated[StrictStr, single_character("a separator", '"\n\r\0')]
Decimal = Literal["auto", ".", ","]
DecimalMark = Literal[".", ","]
Thousands = Annotated[StrictStr, AfterValidator(validate_thousands)]
HeaderRow = Literal["auto"] | Annotated[int, Field(strict=True, ge=1)]
FooterRows = Literal["auto"] | Annotated[int, Field(strict=True, ge=0, le=1000)]
Ragged = Literal["refuse", "pad", "skip"]
Quote = Literal["auto", "double", "none"]
DateFormat = Annotated[StrictStr, AfterValidator(validate_date_format)]
ColumnDecimals = Annotated[
    tuple[tuple[StrictStr, DecimalMark], ...],
    BeforeValidator(lambda marks: tuple(marks.items()) if isinstance(marks, Mapping) else marks),
]


class CsvDialect(Spec):
    """How a file is to be read, or was read. `auto` is inferred from the file; an ambiguous file is an error.

    `decimal` and `thousands` also apply to numbers in the text columns of other formats, where auto is the point.
    `decimals` are the decimal marks of columns that have another one; see columns/decimal_marks.py. A `thousands`
    separator that is the decimal mark of the table is that of these columns.
    `date_format` is the format of dates in text, where auto is inferred for each column.

    `header` is whether a line holds the names of the columns, `header_row` its number (from 1); `footer_rows` is the
    number of records at the end that belong to no row; `ragged` is what happens to rows with another number of cells
    than the header. `quote` is what a double quote is: around a cell, or a character (none).
    auto refuses cells of several lines that look like rows, as csv/swallowed_rows.py says; double takes them.
    `header_cells` are the cells of the header that was found, if names had to be made from them.
    `missing_words` are the invalid cells of columns that were read as missing; see invalid_cells.py.
    """

    encoding: Encoding = AUTO
    separator: Separator = AUTO
    decimal: Decimal = AUTO
    decimals: ColumnDecimals = ()
    thousands: Thousands | None = None
    date_format: DateFormat = AUTO
    header: StrictBool = True
    header_row: HeaderRow = AUTO
    footer_rows: FooterRows = AUTO
    ragged: Ragged = "refuse"
    quote: Quote = "auto"
    header_cells: tuple[StrictStr, ...] = ()
    missing_words: tuple[tuple[StrictStr, tuple[StrictStr, ...]], ...] = ()

    @model_validator(mode="after")
    def _marks_differ(self) -> CsvDialect:
        if self.thousands is not None and self.thousands == self.decimal and not self._has_other_marks:
            raise ValueError(f"decimal and thousands cannot both be {self.thousands!r}")
        if not self.header and self.header_row != AUTO:
            raise ValueError(f"header_row is {self.header_row}, but header says that there is none")
        return self

    def of_column(self, name: str) -> CsvDialect:
        """The dialect of a column: with its own decimal mark, if it has one."""
        mark = dict(self.decimals).get(name, self.decimal) if self.decimals else self.decimal
        if mark == self.decimal != self.thousands:
            return self
        thousands = None if self.thousands == mark else self.thousands
        return self.model_copy(update={"decimal": mark, "thousands": thousands, "decimals": ()})

    def with_quote(self, quote: Quote) -> CsvDialect:
        """The dialect with another meaning of quotes, where one is set."""
        return self if quote in (AUTO, self.quote) else self.model_copy(update={"quote": quote})

    def with_missing_words(self, trained: CsvDialect | None) -> CsvDialect:
        """The dialect with the missing words of a training table; without any for None."""
        words = () if trained is None else trained.missing_words
        return self if self.missing_words == words else self.model_copy(update={"missing_words": words})

    @property
    def has_plain_numbers(self) -> bool:
        """Whether numbers have a decimal point and no thousands separator, except in columns with another mark."""
        return self.decimal != "," and self.thousands in (None, self.decimal)

    @property
    def _has_other_marks(self) -> bool:
        return any(mark != self.decimal for _, mark in self.decimals)

    @property
    def decimal_mark(self) -> Literal[".", ",", "auto"]:
        """The decimal mark as configured: if `thousands` is one of point and comma, the other."""
        if self.decimal == AUTO and self.thousands == "." and "," not in dict(self.decimals).values():
            return ","
        return "." if self.decimal == AUTO and self.thousands == "," else self.decimal

    def resolved(self, **inferred: object) -> CsvDialect:
        """The dialect with the values that were found in the file; the decimal mark defaults to the point."""
        decimal = self.decimal_mark if self.decimal_mark != AUTO else "."
        return self.model_copy(update={"decimal": decimal, **inferred})


PLAIN_NUMBERS = CsvDialect(decimal=".")
"""A decimal point and no thousands separator."""
